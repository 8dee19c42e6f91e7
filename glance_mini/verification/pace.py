"""Bounds how fast data is read."""

import time
from collections.abc import Callable, Iterable, Iterator

LONGEST_SLEEP = 0.5
"""Seconds between two calls of ``check`` while it waits."""


class Pace:
    """Lets at most ``rate`` bytes a second pass, in all its streams together; 0: any number.

    ``check`` is called for every block and while it waits, and may raise.
    """

    def __init__(
        self,
        rate: int,
        check: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.passed = 0
        self._rate = rate
        self._check = check
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks`` at the pace; ``passed`` counts their bytes."""
        for chunk in chunks:
            self._wait()
            self.passed += len(chunk)
            if self._rate:
                self._free_at = max(self._free_at, self._clock()) + len(chunk) / self._rate
            yield chunk

    def _wait(self) -> None:
        self._check()
        while (left := self._free_at - self._clock()) > 0:
            self._sleep(min(left, LONGEST_SLEEP))
            self._check()
