"""Workers for tests that kill many of them: forked from a process that has imported what a worker needs."""

import multiprocessing
import os
import sys
from importlib.metadata import entry_points

from glance_mini.cmd import manage_database, worker
from glance_mini.db.sqlalchemy import access

IMPORTED = [manage_database, access]
for _kind in ("layers", "jobs"):
    IMPORTED += [entry.load() for entry in entry_points(group=f"glance_mini.{_kind}")]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


def start_worker(state):
    """Return a worker on a state directory, as a process that has started; it writes to ``worker.log`` there."""
    process = _FORKS.Process(target=_work, args=(state,), daemon=True)
    process.start()
    return process


def _work(state):
    log = os.open(state / "worker.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 2)
    sys.exit(worker.main(["--state", str(state)]))
