"""``glance-mini-worker``: does what is too long for a request. Any number may run, on any number of machines."""

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
from glance_mini.cmd.logs import log_as_configured, log_early
from glance_mini.conf.validation import validate

PROGRAM = "glance-mini-worker"

LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        parents=[console.configuration_arguments()],
        description="Do the work of an image service that is too long for a request, until it is stopped. "
        "`glance-mini serve` runs one such worker itself, unless --no-worker is given.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('glance_mini')}")
    parser.add_argument("--threads", type=console.positive, metavar="N", help="jobs that are run at once (4)")
    arguments = parser.parse_args(argv)
    return console.run(_work, arguments, PROGRAM)


def _work(arguments: argparse.Namespace) -> int:
    from glance_mini.cmd.manage_database import require_tables

    source = console.find_source(arguments)
    if source.state is not None:
        # As for the service itself: what is made in a state directory is for its owner only.
        os.umask(0o077)
    conf = configuration.load(files=source.existing_files())
    if arguments.threads:
        conf.set_override("threads", arguments.threads, group="workers")
    validate(conf)
    log_early()
    require_tables(conf)
    return run_worker(conf)


def run_worker(
    conf: cfg.ConfigOpts,
    pipe: int | None = None,
    parent: int | None = None,
    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> int:
    """Work until one of ``signals`` comes, or ``parent`` is this process's parent no more, and return the exit code.

    Running jobs are handed back then, within ``[workers] graceful_timeout``. Raises what ``start_worker`` raises.
    """
    from glance_mini.bootstrap import start_worker

    # A queue that may be used in the handler of a signal; an event may not.
    stops: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in signals:
        signal.signal(number, lambda number, _frame: stops.put(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    log_as_configured(conf)
    with ExitStack() as undo:
        worker = start_worker(conf, undo, pipe)
        LOG.info("Worker %s is at work.", worker.process)
        _wait(stops, parent)
        worker.stop()
        if not worker.join(conf.workers.graceful_timeout):
            LOG.warning("Jobs that did not stop are left to other workers, who take them over when their leases end.")
    return 0


def _wait(stops: "queue.SimpleQueue[int]", parent: int | None) -> None:
    while parent is None or os.getppid() == parent:
        try:
            stops.get(timeout=1.0)
        except queue.Empty:
            continue
        return


if __name__ == "__main__":
    sys.exit(main())
