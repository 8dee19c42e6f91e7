"""Results as clients see them: pure functions, one file per resource."""
