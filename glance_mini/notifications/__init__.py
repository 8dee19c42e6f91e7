"""Notifications: the events of changes, and their delivery to the broker without delaying a request."""
