"""One configured store: a driver with its id, weight and description, and the functions common to all drivers.

These are hashing and counting in one pass, limits, ranges, and the store id in every error. Drivers store the bytes;
``stores`` holds all stores.
"""

import contextlib
import copy
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.caller import Caller
from glance_mini_store.checked_stream import CheckedStream, Observer
from glance_mini_store.driver import Draft, Driver, StoredObject, UserData, Written
from glance_mini_store.lanes import Chunk, Lane
from glance_mini_store.streams import FileRange, Hashes, close, cut

LOG = logging.getLogger(__name__)

_UNCERTAIN = (errors.RemoteServiceUnavailable, errors.StorageWriteDenied)
"""After these errors of a write its data may be there, even if the driver did not notice."""


@dataclass(frozen=True)
class Stored:
    """The result of a write: location, size in bytes, hex digests by algorithm, metadata for the location."""

    location: str
    size: int
    digests: dict[str, str]
    metadata: Mapping[str, object] = field(default_factory=dict)


class Held:
    """Closes a driver when the last store that uses it is gone, so that running reads and writes end first.

    ``settings`` are the values that the driver was made from.
    """

    def __init__(self, driver: Driver, settings: object = None) -> None:
        self.driver = driver
        self.settings = settings
        self.close = weakref.finalize(self, driver.close)
        self.close.atexit = False


class Store:
    """A driver with its configured id; shared by all threads.

    All methods raise StoreError only, except that ``write`` also raises what its chunks and observers raise.
    """

    def __init__(
        self,
        driver: Driver,
        id: str = "default",  # noqa: A002
        *,
        weight: int = 0,
        description: str | None = None,
        is_default: bool = False,
        reserved: bool = False,
        reason: str | None = None,
        held: Held | None = None,
    ) -> None:
        """``held`` closes the driver; by default when the store is closed, or is not used any more."""
        self.id = id
        self.driver = driver
        self.weight = weight
        self.description = description
        self.is_default = is_default
        self.reserved = reserved
        self.reason = reason
        self.held = held or Held(driver)

    @property
    def type(self) -> str:
        """Return the driver's name."""
        return self.driver.type

    @property
    def read_only(self) -> bool:
        """Return whether the store takes no new data."""
        return capabilities.WRITE not in self.driver.capabilities

    @property
    def available(self) -> bool:
        """Return whether the store was set up; if not, ``reason`` says why."""
        return self.reason is None

    def trusting(self) -> Self:
        """Return this store for locations that an operator has added; see ``Driver.trusting``."""
        other = copy.copy(self)
        other.driver = self.driver.trusting()
        return other

    def for_caller(self, caller: Caller) -> Self:
        """Return this store for ``caller``; see ``Driver.for_caller``."""
        other = copy.copy(self)
        other.driver = self.driver.for_caller(caller)
        return other

    def pinned(self, version: str) -> Self:
        """Return this store for reading data of a user that has ``version``; see ``Driver.pinned``."""
        other = copy.copy(self)
        other.driver = self.driver.pinned(version)
        return other

    def user_data(self, location: str) -> UserData | None:
        """Return what the caller has at ``location``, None if users may not name it; see ``Driver.user_data``."""
        with self._named():
            return self.driver.user_data(location)

    def write(
        self,
        name: str,
        chunks: Iterable[Chunk],
        *,
        size: int | None = None,
        blocks: int = 1,
        algorithms: Sequence[str] = ("md5", "sha512"),
        limit: int | None = None,
        observers: Sequence[Observer] = (),
        is_copy: bool = False,
    ) -> Stored:
        """Store ``chunks`` under ``name`` in one pass and return the result; the data is durable then.

        ``size`` is the announced number of bytes (None: unknown), ``limit`` the largest allowed. Observers get every
        chunk before the driver. A chunk may change when ``blocks`` further ones have been asked for; with three or
        more, threads hash and write while the next one is read. ``is_copy``: see ``Driver.write_uncached``.

        Raises SizeMismatch, SizeLimitExceeded, Duplicate, StorageFull, StorageWriteDenied, StoreAddDisabled,
        UnknownHashingAlgo, and unchanged what ``chunks`` or an observer raise; then nothing readable is left. Blocks as
        long as ``chunks`` do.
        """
        started = time.monotonic()
        with self._named():
            if limit is not None and size is not None and size > limit:
                raise errors.SizeLimitExceeded(limit=limit)
            depth = blocks - 2 if blocks > 2 else None
            with contextlib.closing(Hashes(algorithms, depth)) as hashes:
                stream = CheckedStream(chunks, hashes, observers, size, limit)
                write = self.driver.write_uncached if is_copy else self.driver.write
                stored = self._write(lambda read: write(name, read, size), stream, depth)
        LOG.debug("store %s: wrote %s bytes in %.3f s", self.id, stored.size, time.monotonic() - started)
        return stored

    def _write(self, write: Callable[[Iterable[Chunk]], Written], stream: CheckedStream, depth: int | None) -> Stored:
        """Let the driver read the checked stream; an error of the stream wins over that of the driver."""
        try:
            written = write(stream) if depth is None else _write_in_thread(write, stream, depth)
        except Exception as error:
            if isinstance(error, _UNCERTAIN):
                errors.mark_leftovers(error)
            if stream.failure is not None and error is not stream.failure:
                if errors.has_leftovers(error):
                    errors.mark_leftovers(stream.failure)
                raise stream.failure from None
            raise
        if stream.digests is None or written.size != stream.received:
            failure = stream.failure or errors.SizeMismatch(expected=stream.received, received=written.size)
            self._remove(written.location, failure)
            raise failure
        return Stored(written.location, written.size, stream.digests, written.metadata)

    def _remove(self, location: str, failure: BaseException) -> None:
        """Delete data whose write has ended with ``failure``."""
        try:
            self.driver.delete(location)
        except errors.StoreError as error:
            errors.mark_leftovers(failure)
            LOG.warning("store %s: the data of a failed write could not be removed: %s", self.id, error)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes of ``location`` from ``offset``, at most ``length`` (None: to the end).

        See ``Driver.read``. The iterator has ``close``; the kernel may send a ``FileRange``. Raises
        InvalidRange, NotFound, StoreGetNotSupported, perhaps only at the first block.
        """
        with self._named():
            if capabilities.READ not in self.driver.capabilities:
                raise errors.StoreGetNotSupported()
            if offset < 0 or (length is not None and length < 0):
                raise errors.InvalidRange(offset=offset, location=location)
            whole = offset == 0 and length is None
            if whole or capabilities.RANGE in self.driver.capabilities:
                data = self.driver.read(location, offset, length)
            else:
                data = cut(self.driver.read(location), offset, length, location)
        return data if isinstance(data, FileRange) else _NamedChunks(self, data)

    def is_owner(self, location: str) -> bool:
        """Return whether the backend says that the data is in this store; False if it does not answer."""
        try:
            return self.driver.is_owner(location)
        except errors.StoreError as error:
            LOG.info("store %s: whether it holds a location is not known: %s", self.id, error)
            return False

    def size(self, location: str) -> int:
        """Return the size in bytes at ``location``. Raises NotFound, BadStoreUri, RemoteServiceUnavailable."""
        with self._named():
            return self.driver.size(location)

    def link_in(self, name: str, path: str) -> Stored | None:
        """Store a local file without copying its bytes; see ``Driver.link_in``. The digests are empty."""
        with self._named():
            written = self.driver.link_in(name, path)
        return Stored(written.location, written.size, {}, written.metadata) if written else None

    def devices(self) -> frozenset[int]:
        """Return the file systems from which ``link_in`` takes files, by number."""
        with self._named():
            return self.driver.devices()

    def local_path(self, location: str) -> str | None:
        """Return the path of the local file that holds the data, None if there is none."""
        with self._named():
            return self.driver.local_path(location)

    def delete(self, location: str) -> None:
        """Delete the data. Raises NotFound, InUseByStore, HasSnapshot, Forbidden, StoreDeleteNotSupported."""
        with self._named():
            self.driver.delete(location)

    def discard(self, name: str) -> None:
        """Remove what an unrecorded write under ``name`` left, published or not; may be repeated."""
        with self._named():
            self.driver.discard(name)

    def names(self) -> frozenset[str] | None:
        """Return the names under which ``discard`` may find data; None if the driver cannot list them."""
        with self._named():
            found = self.driver.names()
            return None if found is None else frozenset(found)

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield the published data in the backend; see ``Driver.list_objects``."""
        with self._named():
            yield from self.driver.list_objects()

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Let all projects (``public``) or ``readers`` read; does nothing in a store without access lists."""
        if capabilities.ACL in self.driver.capabilities:
            with self._named():
                self.driver.set_acl(location, public, readers)

    def presigned_url(self, location: str, seconds: int) -> str | None:
        """Return a URL by which anybody reads the data for ``seconds``, None if there is none; no request is made."""
        with self._named():
            return self.driver.presigned_url(location, seconds)

    def presigned_upload(self, name: str, seconds: int, size: int) -> str:
        """Return a URL to which anybody sends ``size`` bytes for ``seconds``; see ``Driver.presigned_upload``."""
        with self._named():
            return self.driver.presigned_upload(name, seconds, size)

    def uploaded(self, name: str) -> int | None:
        """Return how many bytes were sent to the URL for ``name``, None if nothing was."""
        with self._named():
            return self.driver.uploaded(name)

    def adopt(self, source: str, name: str, size: int) -> Written:
        """Copy what was sent under ``source`` to ``name`` inside the backend; see ``Driver.adopt``."""
        with self._named():
            return self.driver.adopt(source, name, size)

    @contextlib.contextmanager
    def draft(self, name: str, offset: int) -> Iterator[Draft]:
        """Hold the draft ``name`` open at ``offset``; see ``Driver.draft``."""
        with self._named():
            draft = self.driver.draft(name, offset)
            with contextlib.closing(draft):
                yield draft

    def check(
        self,
        location: str,
        size: int,
        algorithms: Sequence[str],
        observers: Sequence[Observer] = (),
        watch: Callable[[Iterable[bytes]], Iterable[bytes]] = iter,
    ) -> dict[str, str]:
        """Read the data once and return its hex digests by algorithm; ``watch`` passes the blocks on.

        Raises SizeMismatch unless there are ``size`` bytes, and what ``read``, ``watch`` and the observers raise.
        """
        with self._named(), contextlib.closing(Hashes(algorithms)) as hashes:
            chunks = self.read(location)
            stream = CheckedStream(watch(chunks), hashes, observers, size, None)
            try:
                for _ in stream:
                    pass
            finally:
                close(chunks)
        assert stream.digests is not None
        return stream.digests

    def properties(self) -> Mapping[str, object]:
        """Return the properties in the detailed list of stores (api-info-stores)."""
        return self.driver.properties()

    def probe(self) -> int | None:
        """Return how many bytes are free, None if that is unknown; raises StoreError if the store cannot be used now.

        Blocks as long as the backend does.
        """
        with self._named():
            return self.driver.probe()

    def close(self) -> None:
        """Close the driver; called once at shutdown."""
        self.held.close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Add this store's id to errors of this package."""
        try:
            yield
        except errors.StoreError as error:
            error.store = error.store or self.id
            raise


def _write_in_thread(write: Callable[[Iterable[Chunk]], Written], stream: CheckedStream, depth: int) -> Written:
    lane = Lane("store-write", write, depth)
    try:
        # Nothing is read before the driver asks for it: it may refuse the name or the size.
        lane.wait()
        chunks = iter(stream)
        while lane.failure is None and (chunk := next(chunks, None)) is not None:
            lane.put(chunk)
    except BaseException as failure:
        lane.end(failure)
        if stream.failure is None or lane.failure is not None:
            raise
    lane.end(lane.failure)
    return lane.result()


class _NamedChunks(Iterator[bytes]):
    """The chunks of a driver; adds the store's id to errors and closes the driver's iterator."""

    def __init__(self, store: Store, chunks: Iterator[bytes]) -> None:
        self._store = store
        self._chunks = chunks

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except errors.StoreError as error:
            error.store = error.store or self._store.id
            raise

    def close(self) -> None:
        """Close the driver's iterator if it can be closed."""
        close(self._chunks)
