"""Reports the progress of a transfer every few seconds: in percent if the size is known, else in MiB."""

import time
from collections.abc import Callable, Iterable, Iterator

from glance_mini.workers.base import Control

REPORT_SECONDS = 3.0

_MIB = 1024 * 1024


class Progress:
    """Counts the bytes of a transfer; ``size`` is the total in bytes, None if it is unknown."""

    def __init__(
        self,
        control: Control,
        verb: str,
        size: int | None,
        interval: float = REPORT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``verb`` begins the message, such as Copied; ``interval`` in seconds."""
        self._control = control
        self._verb = verb
        self._size = size
        self._interval = interval
        self._clock = clock
        self._count = 0
        self._due = clock() + interval

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks`` while the job may continue; raises JobStopped."""
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
