"""The calls on metadata definitions, one controller for each kind (api-metadefs)."""
