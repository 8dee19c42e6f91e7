"""The ``file`` driver; the store driver guide describes names, temporary names and holes."""

from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.drivers.file.placement import Directory

__all__ = ["Directory", "FileDriver"]
