"""The tests of the project. One that takes longer than ``LONGEST`` ends its process, which says where it stood."""

import faulthandler
import functools
import os
import unittest
from typing import Any

import testtools

LONGEST = float(os.environ.get("TEST_SECONDS", "400"))
"""Seconds for one test, or between two; 0 is for ever. Nothing else ends a test that waits in foreign code."""


def _begin_again() -> None:
    faulthandler.dump_traceback_later(LONGEST, exit=True)


def _bound(kind: type[unittest.TestCase]) -> None:
    run = kind.run

    @functools.wraps(run)
    def bounded(case: unittest.TestCase, *args: Any, **kwargs: Any) -> Any:
        _begin_again()
        try:
            return run(case, *args, **kwargs)
        finally:
            _begin_again()

    kind.run = bounded  # type: ignore[method-assign]


if LONGEST:
    _bound(unittest.TestCase)
    _bound(testtools.TestCase)
