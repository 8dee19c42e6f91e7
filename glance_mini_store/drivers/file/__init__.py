"""Data in files; names, temporary names and holes are described in the store driver guide."""

from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.drivers.file.placement import Directory

__all__ = ["Directory", "FileDriver"]
