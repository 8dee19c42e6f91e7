"""``glance-mini-worker``: runs jobs. Any number of workers may run, on any number of machines."""

import argparse
import logging
import os
import queue
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version

from oslo_config import cfg

from glance_mini import conf as configuration
from glance_mini.cmd import console
from glance_mini.cmd.importing import without_collector
from glance_mini.cmd.logs import log_as_configured, log_early
from glance_mini.cmd.reloading import Load, StoreReader
from glance_mini.conf.database import has_database
from glance_mini.conf.validation import validate_start

PROGRAM = "glance-mini-worker"

LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    return console.run(_work, make_parser().parse_args(argv), PROGRAM)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the program."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        parents=[console.configuration_arguments()],
        description="Run the jobs of an image service, which are too long for a request, until stopped. "
        "`glance-mini serve` runs one such worker itself, unless --no-worker is given.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('glance_mini')}")
    parser.add_argument("--threads", type=console.positive, metavar="N", help="jobs that run at once (4)")
    return parser


def _work(arguments: argparse.Namespace) -> int:
    source = console.find_source(arguments)
    if source.state is not None:
        # As in the service itself, only the owner may read new files in a state directory.
        os.umask(0o077)

    def load() -> cfg.ConfigOpts:
        conf = configuration.load(files=source.existing_files())
        if arguments.threads:
            conf.set_override("threads", arguments.threads, group="workers")
        return conf

    conf = load()
    log_early()
    validate_start(conf)
    if has_database(conf):
        with without_collector():
            from glance_mini.cmd.manage_database import require_tables

        require_tables(conf)
    return run_worker(conf, load)


def run_worker(
    conf: cfg.ConfigOpts,
    load: Load,
    pipe: int | None = None,
    parent: int | None = None,
    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    store_conf: cfg.ConfigOpts | None = None,
) -> int:
    """Run jobs until one of ``signals`` arrives or ``parent`` is no longer this process's parent; return the exit code.

    Then running jobs are handed back within ``[workers] graceful_timeout``. At SIGHUP the stores are read again by
    ``load``; ``store_conf`` has their sections if that has happened before. Raises what ``start_worker`` raises.
    """
    with without_collector():
        from glance_mini.bootstrap import start_worker

    # A signal handler may use a SimpleQueue, but not an Event.
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (*signals, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: arrived.put(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    log_as_configured(conf)
    with ExitStack() as undo:
        worker, stores = start_worker(conf, undo, pipe, store_conf)
        LOG.info("Worker %s has started.", worker.process)
        reader = StoreReader(stores, load)
        reader.start()
        while _wait(arrived, parent) == signal.SIGHUP:
            reader.ask()
        worker.stop()
        if not worker.join(conf.workers.graceful_timeout):
            LOG.warning("Some jobs did not stop; other workers take them over when their leases expire.")
    return 0


def _wait(arrived: "queue.SimpleQueue[int]", parent: int | None) -> int | None:
    """Return the next signal, or None when the parent is gone."""
    while parent is None or os.getppid() == parent:
        try:
            return arrived.get(timeout=1.0)
        except queue.Empty:
            continue
    return None


if __name__ == "__main__":
    sys.exit(main())
