"""How property tests run here: without a clock and without remembering earlier runs."""

from hypothesis import settings

UNTIMED = settings(deadline=None, database=None)
"""Decorator for a test with ``given``."""
