"""A data access of glance_mini that measures the cost of each call."""
