"""The middleware between server and application: identifies the caller and chooses the version of the API."""
