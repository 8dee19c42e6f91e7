"""Drivers that were written for the library ``glance_store``, as drivers of this one: ``glance_store.NAME``.

The manual's page on them says what they can do here and what they cannot.
"""

from glance_mini_store.drivers.foreign.loading import load_foreign

__all__ = ["load_foreign"]
