"""Names that this process is writing, so that two of its writes under one name do not both succeed.

Not every service refuses the second of two objects that are completed at the same moment.
"""

import contextlib
import threading
from collections.abc import Iterator


class NamesInWork:
    """A set of names, shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()

    @contextlib.contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Hold ``name``; yields False, and does not hold it, if another thread does."""
        with self._lock:
            is_free = name not in self._names
            self._names.add(name)
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._names.remove(name)
