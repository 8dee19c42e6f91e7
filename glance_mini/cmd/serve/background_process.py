"""One further child process of the master, in addition to those that answer requests.

The master forks it, replaces it when it dies, with a pause between two starts, and stops it with the others. It runs a
function, which must end by itself when the master is gone.
"""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable

from gunicorn.sock import BaseSocket

from glance_mini.cmd.serve.worker import STOP_SIGNALS

LOG = logging.getLogger(__name__)

BACKGROUND_CANNOT_START = 3
"""The exit code of a background process that cannot start; after its first start the server ends with it too."""

PAUSE = 5.0
"""The shortest time between two starts in seconds."""


class BackgroundProcess:
    """The child that calls ``work`` and exits with the code that it returns; no child if ``work`` is None.

    ``work`` is called with the stop signals blocked; it must unblock those that it has handlers for. ``on_end`` is
    called with the pid of a child that has ended.
    """

    def __init__(self, work: Callable[[], int] | None, on_end: Callable[[int], None]) -> None:
        self.pid = 0
        self._work = work
        self._on_end = on_end
        self._starts = 0
        self._not_before = 0.0

    def ensure_running(self, listeners: Iterable[BaseSocket]) -> None:
        """Start the child if none runs and the pause is over; the child closes ``listeners``."""
        if self._work is None or self.pid or time.monotonic() < self._not_before:
            return
        self._starts += 1
        self._not_before = time.monotonic() + PAUSE
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self.pid = os.fork()
            if not self.pid:
                _be_child(self._work, listeners)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def reap(self) -> bool:
        """Check whether the child has ended; return whether its first start failed."""
        if not self.pid:
            return False
        try:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            # A wait for any child has reaped it already.
            ended, status = self.pid, 0
        if not ended:
            return False
        self.pid = 0
        self._on_end(ended)
        code = os.waitstatus_to_exitcode(status)
        if code:
            LOG.error("The background process (pid %d) ended with exit code %d.", ended, code)
        return code == BACKGROUND_CANNOT_START and self._starts == 1

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the child, if there is one."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def exit_child(code: int) -> None:
    """End this child process, without the exit handlers of its parent and without waiting for threads."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _be_child(work: Callable[[], int], listeners: Iterable[BaseSocket]) -> None:
    code = 1
    try:
        # The master's handlers must not run here, and code that runs programs must see their end.
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
            signal.signal(number, signal.SIG_DFL)
        # Ctrl-C reaches every process of a terminal at once; the master decides when to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for listener in listeners:
            listener.close()
        code = work()
    except BaseException:
        LOG.exception("The background process failed.")
    finally:
        exit_child(code)
