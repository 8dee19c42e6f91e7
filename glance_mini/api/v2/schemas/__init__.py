"""JSON schemas as data, one file per resource (reference section 15)."""
