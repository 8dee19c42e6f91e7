"""A foreign driver behind the driver contract of this library.

What the contract asks beyond a foreign driver is done here: names are checked, one name is written once at a time,
ranges are cut, missing bytes are errors, and no error shows a credential.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import ClassVar, Self

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written
from glance_mini_store.drivers.foreign.configuration import private_configuration, secret_values
from glance_mini_store.drivers.foreign.interface import (
    DRIVER_REUSABLE,
    READ_ACCESS,
    READ_CHUNK,
    READ_OFFSET,
    WRITE_ACCESS,
    ForeignStore,
)
from glance_mini_store.drivers.foreign.source import ChunkFile
from glance_mini_store.drivers.foreign.translation import Translation
from glance_mini_store.lanes import Chunk
from glance_mini_store.location import Location
from glance_mini_store.names import check_name
from glance_mini_store.streams import close

_HASH = "md5"
"""Foreign drivers hash while they write; ``store`` hashes too, so this is the algorithm that they need anyway."""
_PLACES = 64


class ForeignDriver(Driver):
    """Base of the drivers that ``load_foreign`` returns; ``foreign`` is the class of the foreign driver.

    An object that the foreign driver does not call reusable is made anew for each call, as its authors expect.
    """

    foreign: ClassVar[type[ForeignStore]]
    schemes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: SimpleNamespace, store_id: str) -> None:
        self._store_id = store_id
        self._settings = settings
        self._translation = Translation(secret_values(self.options, settings))
        self._conf = private_configuration(store_id, self.foreign.OPTIONS or (), settings)
        self._store = self._make()
        self._writing: set[str] = set()
        self._places: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._learn()

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return the driver; it is usable after ``check``."""
        return cls(settings, store_id)

    def check(self) -> None:
        """Configure the foreign driver. Raises BadStoreConfiguration, RemoteServiceUnavailable."""
        store = self._make()
        with self._translation.for_location(self._store_id):
            store.configure(re_raise_bsc=True)
        self._store = store
        self._learn()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the prefix that the foreign driver names, else its schemes."""
        prefix = _prefix(self._store)
        return (prefix,) if prefix else super().prefixes

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Let the foreign driver add the chunks. What it leaves after an error is its own affair."""
        if capabilities.WRITE not in self.capabilities:
            raise errors.StoreAddDisabled()
        check_name(name)
        source = ChunkFile(chunks)
        with self._alone(name):
            try:
                with self._translation.for_location(name):
                    added = self._usable().add(name, source, size or 0, _HASH, context=None, verifier=None)
            except errors.StoreError:
                if source.failure is not None:
                    raise source.failure from None
                raise
            return self._finished(name, source, added[0], added[1], dict(added[4] or {}))

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the blocks that the foreign driver reads."""
        store, found = self._usable(), self._locate(location)
        with self._translation.for_location(location):
            if offset == 0 and length is None:
                blocks, expected = store.get(found, context=None)
                return self._blocks(location, blocks, expected or None)
            left = store.get_size(found, context=None) - offset
            if left < 0:
                raise errors.InvalidRange(offset=offset, location=location)
            wanted = left if length is None else min(left, length)
            if not wanted:
                return iter(())
            part = wanted if length is not None and store.is_capable(READ_CHUNK) else None
            blocks, _ = store.get(found, offset=offset, chunk_size=part, context=None)
        return self._blocks(location, blocks, wanted)

    def size(self, location: str) -> int:
        """Return the size in bytes."""
        store, found = self._usable(), self._locate(location)
        with self._translation.for_location(location):
            return int(store.get_size(found, context=None))

    def delete(self, location: str) -> None:
        """Delete the data."""
        if capabilities.DELETE not in self.capabilities:
            raise errors.StoreDeleteNotSupported()
        store, found = self._usable(), self._locate(location)
        with self._translation.for_location(location):
            store.delete(found, context=None)

    def discard(self, name: str) -> None:
        """Delete the data of ``name`` at the places where this driver writes, as far as they are known."""
        places = list(self._places) if capabilities.DELETE in self.capabilities else []
        for before, after in places:
            with contextlib.suppress(errors.NotFound, errors.BadStoreUri):
                self.delete(f"{before}{name}{after}")

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Let only all projects (``public``) or ``readers`` read."""
        if capabilities.ACL not in self.capabilities:
            raise errors.StoreAclNotSupported()
        store, found = self._usable(), self._locate(location)
        with self._translation.for_location(location):
            try:
                store.set_acls(found, public=public, read_tenants=list(readers), write_tenants=None, context=None)
            except NotImplementedError:
                raise errors.StoreAclNotSupported() from None

    def _make(self) -> ForeignStore:
        with self._translation.for_location(self._store_id):
            return self.foreign(self._conf, backend=self._store_id)

    def _usable(self) -> ForeignStore:
        if self._store.is_capable(DRIVER_REUSABLE):
            return self._store
        store = self._make()
        with self._translation.for_location(self._store_id):
            store.configure(re_raise_bsc=True)
        return store

    def _learn(self) -> None:
        """Take over schemes and capabilities, and the place of data if the driver names it."""
        store = self._store
        with self._translation.for_location(self._store_id):
            self.schemes = tuple(store.get_schemes())  # type: ignore[misc]
            can = {
                capabilities.READ: store.is_capable(READ_ACCESS),
                capabilities.RANGE: store.is_capable(READ_OFFSET),
                capabilities.WRITE: store.is_capable(WRITE_ACCESS),
                capabilities.DELETE: store.is_capable(WRITE_ACCESS),
                capabilities.ACL: _overrides(type(store), "set_acls"),
            }
        self.capabilities = frozenset(word for word, is_able in can.items() if is_able)
        if prefix := _prefix(store):
            self._places.add((prefix.rstrip("/") + "/", ""))

    def _locate(self, location: str) -> Location:
        if not location.startswith(tuple(f"{scheme}://" for scheme in self.schemes)):
            raise errors.BadStoreUri(location=location, reason=f"it must be of scheme {' or '.join(self.schemes)}")
        store = self._store
        with self._translation.for_location(location):
            kind = store.get_store_location_class()
            return Location(self.schemes[0], kind, self._conf, uri=location, backend=self._store_id)

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Refuse a second write under a name while the first is going on: foreign drivers look first, then write."""
        with self._lock:
            if name in self._writing:
                raise errors.Duplicate(location=name)
            self._writing.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._writing.discard(name)

    def _finished(self, name: str, source: ChunkFile, location: str, size: int, metadata: dict[str, object]) -> Written:
        """Return the result of a write whose source was read to the end; else delete the data and raise."""
        try:
            source.finish()
        except BaseException:
            self.delete(location)
            raise
        before, found, after = location.rpartition(name)
        if found and len(self._places) < _PLACES:
            self._places.add((before, after))
        metadata.pop("store", None)
        return Written(location, size, metadata)

    def _blocks(self, location: str, blocks: Iterable[bytes], expected: int | None) -> Iterator[bytes]:
        """Yield ``expected`` bytes of ``blocks`` (None: all). Raises SizeMismatch if there are fewer."""
        received = 0
        try:
            with self._translation.for_location(location):
                reader = iter(blocks)
            while expected is None or received < expected:
                with self._translation.for_location(location):
                    block = next(reader, None)
                if block is None:
                    break
                part = bytes(block if expected is None else block[: expected - received])
                received += len(part)
                if part:
                    yield part
        finally:
            close(blocks)
        if expected is not None and received < expected:
            raise errors.SizeMismatch(expected=expected, received=received)


def _prefix(store: ForeignStore) -> str:
    """Return what the locations of ``store`` begin with; empty if the driver does not say.

    Of a directory it ends with a slash, so that it is not the beginning of another directory.
    """
    prefix = getattr(store, "url_prefix", None)
    if not isinstance(prefix, str):
        return ""
    return prefix.rstrip("/") + "/" if prefix.startswith("file://") else prefix


def _overrides(kind: type, method: str) -> bool:
    """Return whether a class has another ``method`` than its oldest base that has one."""
    return sum(method in vars(each) for each in kind.__mro__) > 1
