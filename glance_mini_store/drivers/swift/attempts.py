"""How often a request is made: again while it fails at once, but not after a long wait."""

import time

DELAYS = (0.5, 1.0, 2.0)
"""Seconds between the attempts."""


class Attempts:
    """The attempts of one request; none begins later than ``seconds`` after this was made."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._delays = iter(DELAYS)

    def wait(self) -> bool:
        """Wait before another attempt and return True; return False at once if there is no other."""
        delay = next(self._delays, None)
        if delay is None or time.monotonic() >= self._end:
            return False
        time.sleep(delay)
        return True
