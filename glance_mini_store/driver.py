"""The contract of a storage backend: what a driver must do and what is optional.

``store.Store`` applies limits, hashes, counts and adds the store id to errors for all drivers; a driver neither
hashes nor sees HTTP requests. ``testing.DriverContract`` tests every sentence of this contract.
"""

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import ClassVar, Protocol, Self

from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.lanes import Chunk
from glance_mini_store.web.target import AddressJudge

CONTRACT = 1
"""The number of the driver contract in this release."""


@dataclass(frozen=True)
class UserData:
    """Data of a user: its size in bytes, and what tells it from any other data that the user may put in its place."""

    size: int
    version: str


@dataclass(frozen=True)
class StoredObject:
    """Published data that a driver finds in its backend, under ``name``, as ``location`` names it.

    ``size`` is in bytes, ``changed_at`` in seconds since 1970 by the clock of the backend; None: not known.
    """

    name: str
    location: str
    size: int | None = None
    changed_at: float | None = None


@dataclass(frozen=True)
class Written:
    """The result of a write by a driver: where the data is and its size in bytes.

    ``metadata`` is added to the metadata of the location (strings, lists and objects only).
    """

    location: str
    size: int
    metadata: Mapping[str, object] = field(default_factory=dict)


class Draft(Protocol):
    """Data that grows over several calls, open for one writer; methods raise StorageFull, RemoteServiceUnavailable.

    ``location`` is where it is read from.
    """

    location: str

    def write(self, chunk: Chunk) -> None:
        """Add all of ``chunk``."""
        ...

    def sync(self) -> None:
        """Make durable what was written so far; returns when it is."""
        ...

    def close(self) -> None:
        """End the use of the draft; what was written since the last ``sync`` may be lost."""
        ...


class Driver(abc.ABC):
    """One backend, shared by all threads. A driver must implement ``from_config``, ``read`` and ``size``.

    ``capabilities`` is a set of values of ``glance_mini_store.capabilities``; the method of a missing one raises
    its "not supported" error.
    """

    contract: ClassVar[int] = 1
    """The number of the contract that the driver was written for; one that names none was written for the first."""

    type: ClassVar[str]
    """The name of the driver: its entry point, and ``type`` in the list of stores."""

    schemes: ClassVar[tuple[str, ...]]
    """The URI schemes of its locations; the first is the one it writes."""

    options: ClassVar[Sequence[cfg.Opt]] = ()
    """Its options, registered in the group of every store of this type."""

    capabilities: frozenset[str]

    @classmethod
    @abc.abstractmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver for the store ``store_id``; ``settings`` has one attribute for each of ``options``.

        Values are resolved already (the store's group, then ``[backend_defaults]``, then the default). Raises
        BadStoreConfiguration. Does not access the backend; ``check`` does.
        """

    def guard(self, judge: AddressJudge) -> None:  # noqa: B027
        """Set the address judge; called once, before ``check``, if the service has one.

        A driver whose locations name hosts that users choose must not connect to an address that the judge refuses;
        ``glance_mini_store.web`` ensures this. Other drivers need no judge.
        """

    def use_buffers(self, buffers: Buffers) -> None:  # noqa: B027
        """Set the budget that the driver borrows memory from; called once, before ``check``, if the service has one.

        The memory of the chunks and of one block that is read is in it already. A driver that can use some MiB more,
        for example to send several parts at once, borrows them, and does with less where it gets none.
        """

    def trusting(self) -> Self:
        """Return this driver for locations that an operator has added; their host need not pass the judge."""
        return self

    def for_caller(self, caller: Caller) -> Self:
        """Return this driver for ``caller``, if the backend knows users; the service closes only the first one."""
        return self

    def is_for_users(self, location: str) -> bool:
        """Return whether a user may name ``location`` as the data of an image; by default none.

        It is called before an access to the backend. Return True only for locations that every user could read without
        this service: it reads them with its own credentials, and deletes them with the image. Administrators and
        other services may name any location.
        """
        return False

    def user_data(self, location: str) -> UserData | None:
        """Return what the caller of ``for_caller`` has at ``location`` and may name as the data of an image.

        None if users may not name this location, by default none. The backend is asked in the name of the caller, or
        the operator has given the place to the caller's project; and the store itself must be able to read the data
        later without the caller. Raises Invalid if it cannot, with what the caller can do about it, NotFound,
        Forbidden.
        """
        return None

    def pinned(self, version: str) -> Self:
        """Return this driver for reading data of a user, with the credentials of the store.

        ``size`` and ``read`` of it raise DataChanged unless the data has ``version``. Only a driver whose ``user_data``
        returns versions needs it.
        """
        return self

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the prefixes of the URIs of this store; the longest match of all stores wins."""
        return tuple(f"{scheme}://" for scheme in self.schemes)

    def is_owner(self, location: str) -> bool:
        """Return whether the backend says that the data of ``location`` is in this store; False if it cannot tell.

        It is called only where the prefixes of several stores fit a location equally.
        """
        return False

    @abc.abstractmethod
    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes from ``offset`` (>= 0), at most ``length`` (None: to the end).

        Blocks are 256 KiB to 1 MiB long, come in order and are never empty. An ``offset`` at the end of the data yields
        nothing; one after the end raises InvalidRange. Raises NotFound, BadStoreUri, Forbidden,
        RemoteServiceUnavailable, at the call if possible, else at the first block. Without the capability
        ``range`` it is only called for all data. Missing bytes always raise an error. Data in a local file is
        returned as ``streams.FileRange``.
        """

    @abc.abstractmethod
    def size(self, location: str) -> int:
        """Return the size in bytes at ``location``. Raises NotFound, BadStoreUri, RemoteServiceUnavailable."""

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Store ``chunks`` under ``name`` and return the result; if it raises, nothing readable is left.

        ``name`` has 1 to 200 ASCII letters, digits, hyphens and underscores and does not begin with a hyphen.
        ``chunks`` have ``size`` bytes in all (None: unknown) or raise; their errors pass unchanged. Data is
        published in one step after the last chunk, is durable when this returns, and never replaces other data:
        raises Duplicate. Raises StorageFull, StorageWriteDenied, Invalid (the name).

        If data of a failed write cannot be removed now, ``errors.mark_leftovers`` marks the error, and ``discard`` is
        called later. RemoteServiceUnavailable and StorageWriteDenied need no mark.

        A chunk is ``bytes`` or a ``memoryview`` of them, up to 4 MiB. It is the driver's until it asks for the next one
        or returns; then its memory may be used again. A driver that needs it longer, for example to send several parts
        at once, must copy it.
        """
        raise errors.StoreAddDisabled()

    def write_uncached(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write as ``write`` does, for data that another store gets too and that is mostly read from there.

        A driver need not keep such data in the page cache.
        """
        return self.write(name, chunks, size)

    def link_in(self, name: str, path: str) -> Written | None:
        """Store the local file ``path`` under ``name`` without copying its bytes; return None if that is not possible.

        The file also stays at ``path``, where the caller removes it, and is never changed. Errors as ``write``.
        """
        return None

    def devices(self) -> frozenset[int]:
        """Return the file systems (``st_dev``) from which ``link_in`` takes files; none by default."""
        return frozenset()

    def local_path(self, location: str) -> str | None:
        """Return the path of the local file that holds the data, None if there is none. Errors as ``size``."""
        return None

    def discard(self, name: str) -> None:  # noqa: B027
        """Remove what a write under ``name`` left, published or not; no error if there is nothing.

        Called for writes that were not recorded, also those of a killed process. May be repeated.
        """

    def names(self) -> Iterable[str] | None:
        """Return the names under which writes have left data, published or not; None if the driver cannot list them.

        The result may include names that the driver did not write. Raises RemoteServiceUnavailable.
        """
        return None

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield the published data that is in the place where the store writes, that of others too, in any order.

        Only with the capability ``list``. A location is as ``write`` has returned it. Data that is published or deleted
        meanwhile may be missing. Reads the backend page by page, and raises RemoteServiceUnavailable, perhaps late.
        """
        raise errors.StoreListNotSupported()

    def delete(self, location: str) -> None:
        """Delete the data. Raises NotFound, InUseByStore, HasSnapshot, Forbidden, BadStoreUri."""
        raise errors.StoreDeleteNotSupported()

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Let only all projects (``public``) or ``readers`` read directly from the backend."""
        raise errors.StoreAclNotSupported()

    def presigned_url(self, location: str, seconds: int) -> str | None:
        """Return a URL by which anybody reads the data from the backend for ``seconds``, ranges included.

        None if there is none for this location; by default for all. It makes no request, so the data may be missing.
        The URL holds no secret of the store that would outlive it. Raises BadStoreUri.
        """
        return None

    def presigned_upload(self, name: str, seconds: int, size: int) -> str:
        """Return a URL to which anybody sends ``size`` bytes under ``name`` by a PUT, for ``seconds``, more than once.

        What is sent is no data of the store until ``adopt``; ``discard`` removes it. The URL must not let its user read
        or copy anything that is in the backend. Raises StoreAddDisabled, Invalid (the name), SizeLimitExceeded if the
        backend does not take so much at once.
        """
        raise errors.StoreAddDisabled()

    def uploaded(self, name: str) -> int | None:
        """Return how many bytes were sent to the URL for ``name``, None if nothing was."""
        return None

    def adopt(self, source: str, name: str, size: int) -> Written:
        """Copy what was sent under ``source`` to ``name`` inside the backend, and return the result as ``write`` does.

        The copy has ``size`` bytes and does not change when the URL is used again. Raises NotFound, SizeMismatch,
        Duplicate, and what ``write`` raises.
        """
        raise errors.StoreAddDisabled()

    def draft(self, name: str, offset: int) -> Draft:
        """Open the draft ``name`` to go on at ``offset``; what it had after that is dropped, and 0 makes a new one.

        Only one process may have it open, and a process that dies gives it back. ``discard`` removes it. Raises
        NotFound if the draft has fewer bytes, DraftInUse at once if it is open, Invalid (the name), StorageFull,
        StorageWriteDenied.
        """
        raise errors.StoreAddDisabled()

    def properties(self) -> Mapping[str, object]:
        """Return the properties in the detailed list of stores (api-info-stores), without credentials."""
        return {}

    def check(self) -> None:  # noqa: B027
        """Prepare the backend and verify that it works; called once at start. Raises any StoreError."""

    def probe(self) -> int | None:
        """Return how many bytes are free, None if that is unknown; raises any StoreError if the backend is unusable.

        Called every 30 seconds in a thread of its own, so it may wait for the backend. It changes nothing.
        """
        return None

    def close(self) -> None:  # noqa: B027
        """Release connections and threads; called once at shutdown."""
