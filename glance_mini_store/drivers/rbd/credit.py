"""The memory of requests in flight, which all transfers of a store in one process share."""

import threading

MIB = 1024 * 1024

REQUEST = MIB
"""Bytes of the largest request."""

LIMIT = 32 * MIB
"""Bytes of all requests but the first one of each transfer, which needs no credit."""


class Credit:
    """Bytes that requests may take; nobody waits for them."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._free = limit
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Return the bytes that nobody has."""
        return self._free

    def take(self, length: int) -> bool:
        """Return whether there was room for ``length`` bytes; then ``give`` them back once."""
        with self._lock:
            has_room = length <= self._free
            if has_room:
                self._free -= length
            return has_room

    def give(self, length: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._free += length
