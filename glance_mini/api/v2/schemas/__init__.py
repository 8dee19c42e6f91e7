"""JSON schemas as data, one file per resource (api-schemas)."""
