"""A progress bar on standard error for work that takes more than a second."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DELAY = 1.0
"""Seconds of work before the bar appears."""

Report = Callable[[int, int | None], None]
"""Takes how much of the work is done, and all of it (None: unknown), in any unit."""


@contextmanager
def progress(text: str) -> Iterator[Report]:
    """Show ``text`` with a bar from ``DELAY`` on until the block ends, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    bar = _Bar(text)
    timer = threading.Timer(DELAY, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar.report
    finally:
        timer.cancel()
        timer.join()
        bar.hide()


class _Bar:
    """A bar that is invisible until ``show``, so that quick work does not even import rich."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._state: tuple[int, int | None] = (0, None)
        self._shown: tuple[Progress, TaskID] | None = None

    def report(self, done: int, total: int | None) -> None:
        self._state = (done, total)
        if self._shown:
            shown, task = self._shown
            shown.update(task, completed=done, total=total)

    def show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        shown = Progress(console=Console(stderr=True), transient=True, redirect_stdout=False)
        done, total = self._state
        self._shown = (shown, shown.add_task(self._text, completed=done, total=total))
        shown.start()

    def hide(self) -> None:
        if self._shown:
            self._shown[0].stop()
