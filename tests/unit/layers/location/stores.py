"""Small real stores for tests of layers, some of which fail when they are told to."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

from glance_mini_store import capabilities, errors
from glance_mini_store.caller import Caller
from glance_mini_store.driver import Driver, Written
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores


def unavailable() -> errors.StoreError:
    """Return the error of a store that does not answer."""
    return errors.RemoteServiceUnavailable(reason="cable cut")


class FailingDriver(Driver):
    """Keeps data in memory and gives it in blocks of four bytes; ``fails`` maps a method to what makes its error.

    ``break_at`` is the position at which reading breaks off with the error for ``read``; None: at once.
    """

    type = "failing"
    schemes = ("memory",)
    capabilities = frozenset({capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE})

    BLOCK = 4

    def __init__(self, store_id: str = "default") -> None:
        self._prefix = f"{self.schemes[0]}://{store_id}/"
        self._data: dict[str, bytes] = {}
        self.fails: dict[str, Callable[[], Exception]] = {}
        self.break_at: int | None = None
        self.reads: list[tuple[int, int | None]] = []
        self.open_reads = 0

    @classmethod
    def from_config(cls, settings: Any, store_id: str) -> Self:
        return cls(store_id)

    @property
    def prefixes(self) -> tuple[str, ...]:
        return (self._prefix,)

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        self._meet("write")
        location = self.put(name, b"".join(chunks))
        return Written(location, len(self._data[location]))

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.reads.append((offset, length))
        if self.break_at is None:
            self._meet("read")
        found = self._find(location)
        return self._blocks(found[offset : len(found) if length is None else offset + length], offset)

    def size(self, location: str) -> int:
        self._meet("size")
        return len(self._find(location))

    def delete(self, location: str) -> None:
        self._meet("delete")
        self._find(location)
        del self._data[location]

    def discard(self, name: str) -> None:
        self._meet("discard")
        self._data.pop(self._prefix + name, None)

    def put(self, name: str, data: bytes) -> str:
        """Store ``data`` and return its location."""
        self._data[self._prefix + name] = data
        return self._prefix + name

    def holds(self, location: str) -> bool:
        """Tell whether there is data at ``location``."""
        return location in self._data

    def _find(self, location: str) -> bytes:
        if location not in self._data:
            raise errors.NotFound(location=location)
        return self._data[location]

    def _blocks(self, data: bytes, offset: int) -> Iterator[bytes]:
        self.open_reads += 1
        try:
            for start in range(0, len(data), self.BLOCK):
                if self.break_at is not None and offset + start >= self.break_at:
                    self._meet("read")
                yield data[start : start + self.BLOCK]
        finally:
            self.open_reads -= 1

    def _meet(self, method: str) -> None:
        if method in self.fails:
            raise self.fails[method]()


class WebDriver(FailingDriver):
    """The same under the scheme of a web server, whose locations users may name."""

    schemes = ("http",)

    def is_for_users(self, location: str) -> bool:
        return True


class AclDriver(FailingDriver):
    """A store with access lists; ``acls`` holds what was set."""

    capabilities = FailingDriver.capabilities | {capabilities.ACL}

    def __init__(self, store_id: str = "default") -> None:
        super().__init__(store_id)
        self.acls: list[tuple[str, bool, list[str]]] = []

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        self._meet("set_acl")
        self.acls.append((location, public, list(readers)))


class CallerDriver(AclDriver):
    """A store whose backend knows users; ``calls`` holds each method that was called, and for whom."""

    def __init__(self, store_id: str = "default") -> None:
        super().__init__(store_id)
        self.calls: list[tuple[str, Caller | None]] = []
        self._caller: Caller | None = None

    def for_caller(self, caller: Caller) -> Self:
        other = copy.copy(self)
        other._caller = caller
        return other

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        self.calls.append(("write", self._caller))
        return super().write(name, chunks, size)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.calls.append(("read", self._caller))
        return super().read(location, offset, length)

    def delete(self, location: str) -> None:
        self.calls.append(("delete", self._caller))
        super().delete(location)

    def discard(self, name: str) -> None:
        self.calls.append(("discard", self._caller))
        super().discard(name)

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        self.calls.append(("set_acl", self._caller))
        super().set_acl(location, public, readers)


class ReadOnlyDriver(FailingDriver):
    """A store that can only be read."""

    capabilities = frozenset({capabilities.READ, capabilities.RANGE})

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        raise errors.StoreAddDisabled()

    def delete(self, location: str) -> None:
        raise errors.StoreDeleteNotSupported()


def one_store(driver: Any) -> Stores:
    """Return ``driver`` as the only store of a service without ``enabled_backends``."""
    return Stores([Store(driver, is_default=True)], multi=False)


def multi_store(weights: dict[str, int] | None = None, **drivers: Any) -> Stores:
    """Return stores with the ids of ``drivers``, the first the default one."""
    first = next(iter(drivers))
    return Stores(
        Store(driver, name, weight=(weights or {}).get(name, 0), is_default=name == first)
        for name, driver in drivers.items()
    )
