"""The measurements so far, by the name of the call."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """How often a call was made, and the total time of these calls in seconds."""

    count: int = 0
    seconds: float = 0.0


class Measures:
    """Collects measures; safe to share by threads."""

    def __init__(self) -> None:
        self._measures: dict[str, Measure] = {}
        self._lock = threading.Lock()

    def add(self, name: str, seconds: float) -> None:
        """Count one call of that name, which took ``seconds``."""
        with self._lock:
            before = self._measures.get(name, Measure())
            self._measures[name] = Measure(before.count + 1, before.seconds + seconds)

    def snapshot(self) -> dict[str, Measure]:
        """Return the current measures by the name of the call; later calls do not change them."""
        with self._lock:
            return dict(self._measures)
