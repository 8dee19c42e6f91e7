"""The contract of a storage backend: what a driver must do and what it may leave out.

Limits, hashing, counting and the naming of the store in errors are done once by ``store.Store``; a driver
neither hashes nor sees HTTP requests. ``testing.DriverContract`` tests every sentence written here.
"""

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.web.target import AddressJudge


@dataclass(frozen=True)
class Written:
    """What a driver answers to a write: where the data is and how many bytes it has.

    ``metadata`` is added to the metadata of the location (strings, lists and objects only).
    """

    location: str
    size: int
    metadata: Mapping[str, object] = field(default_factory=dict)


class Driver(abc.ABC):
    """One backend, shared by all threads. Must be implemented: ``from_config``, ``read``, ``size``.

    ``capabilities`` holds words of ``glance_mini_store.capabilities``; what it does not name raises the
    "not supported" error of its method.
    """

    type: ClassVar[str]
    """The name of the driver: its entry point, and ``type`` in the list of stores."""

    schemes: ClassVar[tuple[str, ...]]
    """The URI schemes of its locations, the one it writes first."""

    options: ClassVar[Sequence[cfg.Opt]] = ()
    """Its options, registered in the group of every store of this type."""

    capabilities: frozenset[str]

    @classmethod
    @abc.abstractmethod
    def from_config(cls, settings: Any, store_id: str) -> Self:
        """Return a driver for the store ``store_id``; ``settings`` has one attribute for each of ``options``.

        Values are resolved already (the store's group, then ``[backend_defaults]``, then the default). Raises
        BadStoreConfiguration. Touches no backend: that is for ``check``.
        """

    def guard(self, judge: AddressJudge) -> None:  # noqa: B027
        """Take the judge of addresses; called once, before ``check``, if the service has one.

        A driver whose locations name hosts that users choose connects to nothing that the judge refuses, best through
        ``glance_mini_store.web``; all others need not care.
        """

    def trusting(self) -> Self:
        """Return this driver for locations that an operator has added: the host they name need not pass the judge."""
        return self

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the beginnings of the URIs of this very store; the longest match of all stores wins."""
        return tuple(f"{scheme}://" for scheme in self.schemes)

    @abc.abstractmethod
    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes from ``offset`` (>= 0), at most ``length`` (None: to the end).

        Blocks come in order, none of them empty. At the end of the data there is nothing more to yield;
        behind it: InvalidRange. Raises NotFound, BadStoreUri, Forbidden, RemoteServiceUnavailable, at the
        call where possible, else at the first block. Blocks are about 1 MiB. Without the capability ``range``
        it is only called for everything. Fewer bytes than there are never end silently. Data in a local file
        is returned as ``streams.FileRange``.
        """

    @abc.abstractmethod
    def size(self, location: str) -> int:
        """Return the bytes at ``location``. Raises NotFound, BadStoreUri, RemoteServiceUnavailable."""

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        """Store ``chunks`` under ``name`` and return where; if it raises, nothing readable is left.

        ``name`` has 1 to 200 letters, digits, hyphens and underscores of ASCII, no hyphen first.
        ``size`` (bytes, None: unknown) is what ``chunks`` will deliver; they raise if they cannot, and what
        they raise goes through unchanged. Data is published in one step after the last chunk, durable when
        this returns, and never replaces other data: Duplicate. Raises StorageFull, StorageWriteDenied,
        Invalid (the name). Chunks are never changed by the caller afterwards, so they need no copy.
        """
        raise errors.StoreAddDisabled()

    def write_uncached(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> Written:
        """As ``write``, for data that goes to another store at the same time and will rather be read from there.

        A driver that keeps what it writes in the memory of this machine may leave that out.
        """
        return self.write(name, chunks, size)

    def link_in(self, name: str, path: str) -> Written | None:
        """Take over the local file ``path`` under ``name`` without a copy of its bytes; None where that cannot be.

        The file stays at ``path`` too, for the caller to remove, and is not changed by anybody. Errors as ``write``.
        """
        return None

    def devices(self) -> frozenset[int]:
        """Return the numbers of the file systems (``st_dev``) from which ``link_in`` takes files; none by default."""
        return frozenset()

    def local_path(self, location: str) -> str | None:
        """Return the path of the local file that holds the data, None where no local file does. Errors as ``size``."""
        return None

    def discard(self, name: str) -> None:  # noqa: B027
        """Remove whatever a write under ``name`` left behind, published or not; nothing there is no error.

        Called for writes that nobody recorded, also those of a killed process. May be repeated.
        """

    def names(self) -> Iterable[str] | None:
        """Return the names under which writes have left anything, published or not; None where it cannot be told.

        Names of things that the driver did not write may be among them. Raises RemoteServiceUnavailable.
        """
        return None

    def delete(self, location: str) -> None:
        """Delete the data. Raises NotFound, InUseByStore, HasSnapshot, Forbidden, BadStoreUri."""
        raise errors.StoreDeleteNotSupported()

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Let all (``public``) or the projects ``readers`` read from the backend itself, and nobody else."""
        raise errors.StoreAclNotSupported()

    def properties(self) -> Mapping[str, object]:
        """Return what the detailed list of stores shows (api-info-stores); never a credential."""
        return {}

    def check(self) -> None:  # noqa: B027
        """Prepare the backend and make sure that it works; called once at start. Raises any StoreError."""

    def close(self) -> None:  # noqa: B027
        """Give back connections and threads; called once at shutdown."""
