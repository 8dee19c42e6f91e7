"""Image data in OpenStack Swift."""

from glance_mini_store.drivers.swift.driver import SwiftDriver

__all__ = ["SwiftDriver"]
