"""Notifications: what is said about a change, and how it gets to the broker without holding a request."""
