"""Results as what clients see of them: pure functions, one file per resource."""
