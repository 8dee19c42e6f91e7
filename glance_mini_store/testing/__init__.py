"""Test suites for those who write a store driver; needs nothing but the standard library's unittest."""

from glance_mini_store.testing.contract import DriverContract

__all__ = ["DriverContract"]
