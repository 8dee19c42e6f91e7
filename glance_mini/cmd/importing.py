"""Imports modules at the start of a process, when nothing of what they make can be given back yet."""

import contextlib
import gc
import os
from collections.abc import Iterable, Iterator
from importlib import import_module


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Let Python collect no garbage in the block: that takes a sixth of the time of imports, and finds hardly any."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def imported(names: Iterable[str], metrics: str) -> Iterator[None]:
    """Import the modules ``names`` for all processes that this one forks in the block.

    Their library of metrics is told the directory ``metrics`` before, which is made if it is missing.
    """
    os.makedirs(metrics, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    try:
        with without_collector():
            for name in names:
                import_module(name)
            # The collector would write to each page that the processes share.
            gc.freeze()
        yield
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
