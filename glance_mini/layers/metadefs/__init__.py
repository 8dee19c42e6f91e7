"""The layer that holds custom properties to metadata definitions."""

from glance_mini.layers.metadefs.layer import MetadefsLayer

__all__ = ["MetadefsLayer"]
