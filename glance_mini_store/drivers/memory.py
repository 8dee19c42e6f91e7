"""The ``memory`` driver: data in the memory of this process, for tests and trials."""

import threading
import time
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, StoredObject, Written
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import BLOCK


class MemoryDriver(Driver):
    """Keeps ``bytes`` by name; locations are ``memory://<store id>/<name>``."""

    type = "memory"
    schemes = ("memory",)
    capabilities = frozenset(
        {capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE, capabilities.LIST}
    )

    def __init__(self, store_id: str = "default") -> None:
        self._prefix = f"memory://{store_id}/"
        self._lock = threading.Lock()
        self._data: dict[str, bytes] = {}
        self._written_at: dict[str, float] = {}

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return an empty store."""
        return cls(store_id)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the one prefix of this store."""
        return (self._prefix,)

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Keep the chunks under ``name``."""
        if not name or "/" in name:
            raise errors.Invalid(reason=f"{name!r} is not a valid name")
        location = self._prefix + name
        data = b"".join(bytes(chunk) for chunk in chunks)
        with self._lock:
            if location in self._data:
                raise errors.Duplicate(location=location)
            self._data[location] = data
            self._written_at[location] = time.time()
        return Written(location, len(data))

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the data in blocks; a concurrent delete does not affect them."""
        data = self._get(location)
        if offset > len(data):
            raise errors.InvalidRange(offset=offset, location=location)
        end = len(data) if length is None else min(len(data), offset + length)
        return (data[start : min(start + BLOCK, end)] for start in range(offset, end, BLOCK))

    def size(self, location: str) -> int:
        """Return the number of bytes."""
        return len(self._get(location))

    def delete(self, location: str) -> None:
        """Delete the data."""
        with self._lock:
            self._get(location)
            del self._data[location]

    def names(self) -> list[str]:
        """Return the names of all data."""
        return [location.removeprefix(self._prefix) for location in self.locations()]

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield all data."""
        with self._lock:
            found = [(location, len(data), self._written_at[location]) for location, data in self._data.items()]
        for location, size, written_at in found:
            yield StoredObject(location.removeprefix(self._prefix), location, size, written_at)

    def discard(self, name: str) -> None:
        """Delete the data under ``name``."""
        with self._lock:
            self._data.pop(self._prefix + name, None)

    def locations(self) -> list[str]:
        """Return the locations of all data in the order of the writes."""
        with self._lock:
            return list(self._data)

    def _get(self, location: str) -> bytes:
        if not location.startswith("memory://"):
            raise errors.BadStoreUri(location=location, reason="it must begin with memory://")
        try:
            return self._data[location]
        except KeyError:
            raise errors.NotFound(location=location) from None
