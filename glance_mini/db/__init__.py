"""The data access layer: the interface and what answers it."""
