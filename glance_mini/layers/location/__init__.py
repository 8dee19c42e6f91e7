"""Where the data of images lies, as a layer: uploads, downloads, imports, locations and deletion."""

from glance_mini.layers.location.layer import LocationLayer

__all__ = ["LocationLayer"]
