"""Reports how far the data of a job came, every few seconds: in percent, if its size is known."""

import time
from collections.abc import Callable, Iterable, Iterator

from glance_mini.workers.base import Control

REPORT_SECONDS = 3.0

_MIB = 1024 * 1024


class Progress:
    """Counts data on its way; ``size`` is how much there will be in all, in bytes, None where nobody knows."""

    def __init__(
        self,
        control: Control,
        verb: str,
        size: int | None,
        interval: float = REPORT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``verb`` is what was done with the data so far, such as Copied; ``interval`` in seconds."""
        self._control = control
        self._verb = verb
        self._size = size
        self._interval = interval
        self._clock = clock
        self._count = 0
        self._due = clock() + interval

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks`` as long as the job may go on; raises JobStopped."""
        for chunk in chunks:
            self._control.check()
            self._count += len(chunk)
            if self._clock() >= self._due:
                self._control.report_progress(self._text())
                self._due = self._clock() + self._interval
            yield chunk

    def _text(self) -> str:
        if self._size:
            return f"{self._verb} {min(100, self._count * 100 // self._size)} %"
        return f"{self._verb} {self._count // _MIB} MiB"
