"""Test suites for authors of store drivers; they need only the standard library's unittest."""

from glance_mini_store.testing.contract import DriverContract

__all__ = ["DriverContract"]
