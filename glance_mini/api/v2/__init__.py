"""Version 2 of the Images API, one controller file per resource."""
