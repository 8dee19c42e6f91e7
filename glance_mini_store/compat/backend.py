"""The functions of api-library-compat for one store of each driver: its options stand in ``[glance_store]``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, Protocol

from oslo_config import cfg

from glance_mini_store import stores
from glance_mini_store.compat import exceptions, loaded, location
from glance_mini_store.compat.adapted import AdaptedStore, StorageUri, metadata_fault, scheme_of
from glance_mini_store.compat.driver import Added, Verifier
from glance_mini_store.compat.program import configuration
from glance_mini_store.location import SCHEME_TO_CLS_MAP, SchemeEntry
from glance_mini_store.settings import MAIN_GROUP

Source = BinaryIO | Iterable[bytes]
"""Data of an image: a file that is read, or its bytes in pieces."""

AddedWithoutHash = tuple[str, int, str, Mapping[str, object]]
"""URI, size in bytes, md5 checksum, metadata."""


class Adds(Protocol):
    """A store that takes data."""

    def add(
        self,
        image_id: str,
        image_file: Source,
        image_size: int,
        hashing_algo: str,
        /,
        context: object = None,
        verifier: Verifier | None = None,
    ) -> Added:
        """Store the data."""


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of all drivers in ``[glance_store]``."""
    for group, options in stores.list_opts():
        if group == MAIN_GROUP:
            conf.register_opts(options, group=group)
    stores.register_opts(conf)


def create_stores(conf: cfg.ConfigOpts | None = None) -> int:
    """Create the stores that ``[glance_store] stores`` names, and return how many there are.

    Raises BadStoreConfiguration, DriverLoadFailure.
    """
    created = loaded.load(loaded.SINGLE, configuration(conf))
    entries: dict[str, SchemeEntry] = {
        scheme: {
            "store": store,
            "location_class": SCHEME_TO_CLS_MAP[scheme]["location_class"],
            "store_entry": store.store.type,
        }
        for store in created.by_id.values()
        for scheme in store.get_schemes()
        if scheme in SCHEME_TO_CLS_MAP
    }
    location.register_scheme_map(entries)
    return len(created.by_id)


def verify_default_store() -> None:
    """Raise RuntimeError unless the default scheme has a store."""
    created = loaded.current(loaded.SINGLE)
    scheme = str(created.conf[MAIN_GROUP].default_store) if created else None
    if scheme not in loaded.by_scheme(loaded.SINGLE):
        raise RuntimeError(f"no store has the scheme of the default store, {scheme!r}")


def get_known_schemes() -> list[str]:
    """Return the schemes of the stores."""
    return list(loaded.by_scheme(loaded.SINGLE))


def get_store_from_scheme(scheme: str) -> AdaptedStore:
    """Return the store of a scheme. Raises UnknownScheme."""
    found = loaded.by_scheme(loaded.SINGLE).get(scheme)
    if not found:
        raise exceptions.UnknownScheme(scheme=scheme)
    return found[0]


def get_store_from_uri(uri: str) -> AdaptedStore:
    """Return the store that the scheme of ``uri`` names. Raises UnknownScheme."""
    return get_store_from_scheme(scheme_of(uri))


def get_store_from_location(uri: str) -> str:
    """Return the scheme of ``uri``. Raises UnknownScheme if no store has it."""
    get_store_from_uri(uri)
    return scheme_of(uri)


def check_location_metadata(val: object, key: str = "") -> None:
    """Raise BackendException unless ``val`` has dictionaries, lists and strings only, at any depth."""
    if fault := metadata_fault(val, key):
        raise exceptions.BackendException(fault)


def store_add_to_backend_with_multihash(
    image_id: str,
    data: Source,
    size: int,
    hashing_algo: str,
    store: Adds,
    context: object = None,
    verifier: Verifier | None = None,
) -> Added:
    """Store the data in ``store``; see ``add_to_backend_with_multihash``. Metadata is checked."""
    added = store.add(image_id, data, size, hashing_algo, context=context, verifier=verifier)
    metadata: object = added[-1]
    if not isinstance(metadata, Mapping):
        raise exceptions.BackendException(f"the store returned {type(metadata).__name__} as metadata, not a dictionary")
    check_location_metadata(metadata)
    return added


def store_add_to_backend(
    image_id: str, data: Source, size: int, store: Adds, context: object = None, verifier: Verifier | None = None
) -> AddedWithoutHash:
    """Store the data in ``store``; see ``add_to_backend``. Metadata is checked."""
    added = store_add_to_backend_with_multihash(image_id, data, size, "md5", store, context, verifier)
    return (*added[:3], added[4])


def add_to_backend_with_multihash(
    conf: cfg.ConfigOpts,
    image_id: str,
    data: Source,
    size: int,
    hashing_algo: str,
    scheme: str | None = None,
    context: object = None,
    verifier: Verifier | None = None,
) -> Added:
    """Store the data and return URI, size, md5 checksum, digest of ``hashing_algo`` and metadata.

    ``size`` 0: unknown. ``scheme`` None: the default store. ``verifier`` gets all bytes; the caller asks it for its
    verdict. Raises UnknownScheme, UnknownHashingAlgo, Duplicate, Invalid, StorageFull, StorageWriteDenied,
    StoreAddDisabled; then nothing readable is left.
    """
    store = get_store_from_scheme(scheme or conf[MAIN_GROUP].default_store)
    return store_add_to_backend_with_multihash(image_id, data, size, hashing_algo, store, context, verifier)


def add_to_backend(
    conf: cfg.ConfigOpts,
    image_id: str,
    data: Source,
    size: int,
    scheme: str | None = None,
    context: object = None,
    verifier: Verifier | None = None,
) -> AddedWithoutHash:
    """Store the data and return URI, size, md5 checksum and metadata; see ``add_to_backend_with_multihash``."""
    store = get_store_from_scheme(scheme or conf[MAIN_GROUP].default_store)
    return store_add_to_backend(image_id, data, size, store, context, verifier)


def get_from_backend(
    uri: str, offset: int = 0, chunk_size: int | None = None, context: object = None
) -> tuple[Iterable[bytes], int]:
    """Return the bytes at ``uri`` from ``offset``, at most ``chunk_size`` (None: to the end), and a number.

    The number is ``chunk_size``, or else the size of all data. Raises UnknownScheme, BadStoreUri, NotFound.
    """
    return get_store_from_uri(uri).get(StorageUri(uri), offset=offset, chunk_size=chunk_size, context=context)


def get_size_from_backend(uri: str, context: object = None) -> int:
    """Return the size in bytes. Raises UnknownScheme, BadStoreUri, NotFound."""
    return get_store_from_uri(uri).get_size(StorageUri(uri), context=context)


def delete_from_backend(uri: str, context: object = None) -> None:
    """Delete the data. Raises UnknownScheme, BadStoreUri, NotFound, InUseByStore, StoreDeleteNotSupported."""
    get_store_from_uri(uri).delete(StorageUri(uri), context=context)


def set_acls(
    location_uri: str,
    public: bool = False,
    read_tenants: Sequence[str] = (),
    write_tenants: Sequence[str] | None = None,
    context: object = None,
) -> None:
    """Let projects read directly from the backend; does nothing if it has no access lists."""
    set_acls_of(get_store_from_uri(location_uri), location_uri, public, read_tenants, write_tenants, context)


def set_acls_of(
    store: AdaptedStore,
    uri: str,
    public: bool,
    read_tenants: Sequence[str],
    write_tenants: Sequence[str] | None,
    context: object,
) -> None:
    """Set the access lists of ``uri`` in ``store``; does nothing if it has none."""
    try:
        store.set_acls(StorageUri(uri), public, read_tenants, write_tenants, context)
    except NotImplementedError:
        return
