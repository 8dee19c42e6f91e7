"""A data access of glance_mini that measures what each call costs."""
