"""What stands between the server and the application: who asks, and which version of the API is meant."""
