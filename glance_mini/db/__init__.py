"""The data access layer: the interface and its backends."""
