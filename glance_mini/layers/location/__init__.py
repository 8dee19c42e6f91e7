"""The layer for the location of image data: uploads, downloads, imports, locations and deletion."""

from glance_mini.layers.location.layer import LocationLayer

__all__ = ["LocationLayer"]
