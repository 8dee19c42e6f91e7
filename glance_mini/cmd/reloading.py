"""Reads the sections of the stores again when the process gets SIGHUP; all other options keep their values."""

import logging
import queue
import threading
from collections.abc import Callable

from oslo_config import cfg

from glance_mini.cmd.expected import EXPECTED, describe
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

Load = Callable[[], cfg.ConfigOpts]
"""Reads the configuration; raises one of the ``EXPECTED`` errors."""


class StoreReader:
    """A thread that reads the stores again each time that ``ask`` is called, which a signal handler may do.

    With an error, which is logged, the stores stay as they are.
    """

    def __init__(self, stores: Stores, load: Load) -> None:
        self._stores = stores
        self._load = load
        # A signal handler may use a SimpleQueue, but not an Event.
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="stores", daemon=True)

    def start(self) -> None:
        """Start the thread. Call it once, and after a fork."""
        self._thread.start()

    def ask(self) -> None:
        """Let the stores be read again soon."""
        self._asked.put(True)

    def close(self) -> None:
        """Stop after the current reading."""
        self._asked.put(False)

    def _run(self) -> None:
        while self._asked.get():
            self._read()

    def _read(self) -> None:
        from glance_mini.bootstrap import update_stores

        before = self._stores.ids()
        try:
            update_stores(self._stores, self._load())
        except EXPECTED as error:
            LOG.error("The stores stay as they were: %s", describe(error))
        else:
            now = self._stores.ids()
            LOG.info("The stores were read again: %s before, now %s.", ", ".join(before), ", ".join(now))
