"""A store of this package with the methods of api-library-compat's stores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO, Protocol

from oslo_config import cfg

from glance_mini_store import capabilities as words
from glance_mini_store.compat import capabilities, exceptions
from glance_mini_store.compat.capabilities import BitMasks
from glance_mini_store.compat.driver import Added, Store, Verifier
from glance_mini_store.location import SCHEME_TO_CLS_MAP
from glance_mini_store.locations.base import StoreLocation
from glance_mini_store.store import Store as OurStore
from glance_mini_store.streams import close

_MASKS = {words.READ: BitMasks.READ_RANDOM, words.WRITE: BitMasks.WRITE_ACCESS}
_CHECKSUM = "md5"


class HasStoreUri(Protocol):
    """Anything that knows the storage URI of some data, such as ``location.Location``."""

    def get_store_uri(self) -> str:
        """Return the storage URI."""


class AdaptedStore(Store):
    """The store ``store``; ``is_multi``: whether stores have ids that are kept in the metadata of locations.

    All parts of data can be read, because the library cuts them where the backend cannot.
    """

    def __init__(self, conf: cfg.ConfigOpts, store: OurStore, *, is_multi: bool) -> None:
        super().__init__(conf, store.id if is_multi else None)
        self.store = store
        self.set_capabilities(
            BitMasks.DRIVER_REUSABLE, *(_MASKS[word] for word in store.driver.capabilities if word in _MASKS)
        )
        prefixes = store.driver.prefixes
        self._url_prefix = prefixes[0] if is_multi and prefixes else None

    @property
    def weight(self) -> int:
        """Return the weight of the store."""
        return self.store.weight

    def get_schemes(self) -> Sequence[str]:
        """Return the URI schemes of the store."""
        return self.store.driver.schemes

    def get_store_location_class(self) -> type[StoreLocation]:
        """Return the class of its locations; raises UnknownScheme if the library has no grammar for the scheme."""
        for scheme in self.store.driver.schemes:
            if scheme in SCHEME_TO_CLS_MAP:
                return SCHEME_TO_CLS_MAP[scheme]["location_class"]
        raise exceptions.UnknownScheme(f"no grammar for the locations of store {self.store.id!r}")

    @capabilities.check
    def get(
        self, location: HasStoreUri, offset: int = 0, chunk_size: int | None = None, context: object = None
    ) -> tuple[Iterator[bytes], int]:
        """Return the bytes from ``offset``, at most ``chunk_size``, and ``chunk_size`` or else the size of all data.

        There is nothing behind the end of the data. The iterator has ``close``.
        """
        uri = location.get_store_uri()
        with exceptions.translated():
            size = self.store.size(uri)
            blocks = self.store.read(uri, offset, chunk_size) if offset <= size else iter(())
        return _Blocks(blocks), chunk_size or size

    def get_size(self, location: HasStoreUri, context: object = None) -> int:
        """Return the size in bytes."""
        with exceptions.translated():
            return self.store.size(location.get_store_uri())

    @capabilities.check
    def add(
        self,
        image_id: str,
        image_file: BinaryIO | Iterable[bytes],
        image_size: int,
        hashing_algo: str,
        context: object = None,
        verifier: Verifier | None = None,
    ) -> Added:
        """Store the data and return URI, size, md5 checksum, digest of ``hashing_algo`` and metadata.

        ``image_file`` has ``read`` or is an iterable of bytes; ``image_size`` 0: unknown. Raises Duplicate, Invalid
        (the name; another size), StorageFull, StorageWriteDenied, UnknownHashingAlgo.
        """
        with exceptions.translated():
            stored = self.store.write(
                image_id,
                _chunks(image_file, self.WRITE_CHUNKSIZE),
                size=image_size or None,
                algorithms=(_CHECKSUM, hashing_algo),
                observers=() if verifier is None else (verifier,),
            )
        metadata = dict(stored.metadata)
        if self.backend_group:
            metadata["store"] = self.backend_group
        return stored.location, stored.size, stored.digests[_CHECKSUM], stored.digests[hashing_algo], metadata

    @capabilities.check
    def delete(self, location: HasStoreUri, context: object = None) -> None:
        """Delete the data. Raises NotFound, InUseByStore, HasSnapshot, Forbidden."""
        with exceptions.translated():
            self.store.delete(location.get_store_uri())

    def set_acls(
        self,
        location: HasStoreUri,
        public: bool = False,
        read_tenants: Sequence[str] | None = None,
        write_tenants: Sequence[str] | None = None,
        context: object = None,
    ) -> None:
        """Let projects read directly from the backend; NotImplementedError if it has no access lists.

        Nobody but the service can write, so ``write_tenants`` must be empty.
        """
        if write_tenants or words.ACL not in self.store.driver.capabilities:
            raise NotImplementedError
        with exceptions.translated():
            self.store.set_acl(location.get_store_uri(), public, list(read_tenants or ()))


class StorageUri:
    """The location ``uri`` of a store whose driver parses it."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def get_store_uri(self) -> str:
        """Return the storage URI."""
        return self._uri


class _Blocks(Iterator[bytes]):
    """Blocks that a store reads; raises the exceptions of this package."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def __next__(self) -> bytes:
        with exceptions.translated():
            return next(self._blocks)

    def close(self) -> None:
        """Give back what the reader holds; may be repeated."""
        close(self._blocks)


def _chunks(source: BinaryIO | Iterable[bytes], size: int) -> Iterable[bytes]:
    read = getattr(source, "read", None)
    return source if read is None else iter(partial(read, size), b"")


def scheme_of(uri: str) -> str:
    """Return the scheme of a URI; empty if it has none."""
    scheme, separator, _ = uri.partition("://")
    return scheme if separator else ""


def metadata_fault(value: object, key: str = "") -> str | None:
    """Return what is wrong with metadata: only dictionaries, lists and strings are allowed, at any depth."""
    if isinstance(value, Mapping):
        inner = [(f"{key}.{name}" if key else str(name), each) for name, each in value.items()]
    elif isinstance(value, list):
        inner = [(f"{key}[{number}]", each) for number, each in enumerate(value)]
    elif isinstance(value, str):
        return None
    else:
        return f"metadata {key or 'as a whole'} is of {type(value).__name__}; only dict, list and str are allowed"
    return next((fault for name, each in inner if (fault := metadata_fault(each, name))), None)
