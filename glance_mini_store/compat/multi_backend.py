"""The functions of api-library-compat for stores with ids: each has a group of its own."""

from collections.abc import Iterable, Mapping, Sequence

from oslo_config import cfg

from glance_mini_store import stores
from glance_mini_store.compat import exceptions, loaded, location
from glance_mini_store.compat.adapted import AdaptedStore, StorageUri, scheme_of
from glance_mini_store.compat.backend import (
    AddedWithoutHash,
    Source,
    check_location_metadata,
    set_acls_of,
    store_add_to_backend,
    store_add_to_backend_with_multihash,
)
from glance_mini_store.compat.driver import Added, Verifier
from glance_mini_store.compat.program import configuration
from glance_mini_store.loading import load_driver
from glance_mini_store.location import SCHEME_TO_CLS_MAP, SchemeEntry
from glance_mini_store.settings import MAIN_GROUP, STORE_OPTIONS, resolve


def register_store_opts(conf: cfg.ConfigOpts, reserved_stores: Mapping[str, str] | None = None) -> None:
    """Register the options of each store in ``enabled_backends``, and of ``reserved_stores`` (id to driver).

    Raises DriverLoadFailure, BadStoreConfiguration.
    """
    stores.register_opts(conf)
    for store_id, driver in {**(conf.enabled_backends or {}), **(reserved_stores or {})}.items():
        with exceptions.translated():
            options = [*STORE_OPTIONS, *load_driver(driver).options]
        with exceptions.translated():
            resolve(conf, store_id, options)


def create_multi_stores(conf: cfg.ConfigOpts | None = None, reserved_stores: Mapping[str, str] | None = None) -> int:
    """Create the stores in ``enabled_backends`` and ``reserved_stores``, and return how many there are.

    Raises BackendException if there are none, BadStoreConfiguration, DriverLoadFailure.
    """
    conf = configuration(conf)
    stores.register_opts(conf)
    if not conf.enabled_backends:
        raise exceptions.BackendException("enabled_backends names no store")
    created = loaded.load(loaded.MULTI, conf, reserved_stores)
    for store_id, store in created.by_id.items():
        for scheme in set(store.get_schemes()) & SCHEME_TO_CLS_MAP.keys():
            entry: SchemeEntry = {
                "store": store,
                "location_class": SCHEME_TO_CLS_MAP[scheme]["location_class"],
                "store_entry": store.store.type,
            }
            location.register_scheme_backend_map({scheme: {store_id: entry}})
    return len(created.by_id)


def verify_store() -> None:
    """Raise RuntimeError if ``default_backend`` is not set, or is no store."""
    created = loaded.current(loaded.MULTI)
    default = created.conf[MAIN_GROUP].default_backend if created else None
    if not default:
        raise RuntimeError("default_backend is not set")
    try:
        get_store_from_store_identifier(str(default))
    except exceptions.UnknownScheme as error:
        raise RuntimeError(error.msg) from error


def get_known_schemes_for_multi_store() -> list[str]:
    """Return the schemes of the stores."""
    return list(loaded.by_scheme(loaded.MULTI))


def get_store_from_store_identifier(store_identifier: str) -> AdaptedStore:
    """Return the store with this id. Raises UnknownScheme."""
    created = loaded.current(loaded.MULTI)
    if created is None or store_identifier not in created.by_id:
        raise exceptions.UnknownScheme(f"no store has the id {store_identifier!r}")
    return created.by_id[store_identifier]


def get_store_weight(store_identifier: str) -> int:
    """Return the weight of a store. Raises UnknownScheme."""
    return get_store_from_store_identifier(store_identifier).weight


def add_with_multihash(
    conf: cfg.ConfigOpts,
    image_id: str,
    data: Source,
    size: int,
    backend: str,
    hashing_algo: str,
    scheme: str | None = None,
    context: object = None,
    verifier: Verifier | None = None,
) -> Added:
    """Store the data in the store ``backend`` and return URI, size, md5 checksum, digest of ``hashing_algo``, metadata.

    ``store`` in the metadata is the id of the store. Parameters and exceptions as
    ``backend.add_to_backend_with_multihash``; ``scheme`` has no effect.
    """
    store = get_store_from_store_identifier(backend or conf[MAIN_GROUP].default_backend)
    return store_add_to_backend_with_multihash(image_id, data, size, hashing_algo, store, context, verifier)


def add(
    conf: cfg.ConfigOpts,
    image_id: str,
    data: Source,
    size: int,
    backend: str,
    context: object = None,
    verifier: Verifier | None = None,
) -> AddedWithoutHash:
    """Store the data and return URI, size, md5 checksum and metadata; see ``add_with_multihash``."""
    store = get_store_from_store_identifier(backend or conf[MAIN_GROUP].default_backend)
    return store_add_to_backend(image_id, data, size, store, context, verifier)


def get(
    uri: str, backend: str | None, offset: int = 0, chunk_size: int | None = None, context: object = None
) -> tuple[Iterable[bytes], int]:
    """Return the bytes at ``uri`` in the store ``backend``, and a number; see ``backend.get_from_backend``.

    Without ``backend`` all stores with the scheme of ``uri`` are tried. Raises UnknownScheme (also for a store of
    another scheme), BadStoreUri, NotFound.
    """
    if backend:
        return _store(uri, backend).get(StorageUri(uri), offset=offset, chunk_size=chunk_size, context=context)
    for store in loaded.by_scheme(loaded.MULTI).get(scheme_of(uri), []):
        try:
            return store.get(StorageUri(uri), offset=offset, chunk_size=chunk_size, context=context)
        except (exceptions.NotFound, exceptions.BadStoreUri):
            continue
    raise exceptions.NotFound("no store has this data")


def get_size_from_uri_and_backend(uri: str, backend: str, context: object = None) -> int:
    """Return the size in bytes. Raises UnknownScheme, BadStoreUri, NotFound."""
    return _store(uri, backend).get_size(StorageUri(uri), context=context)


def delete(uri: str, backend: str, context: object = None) -> None:
    """Delete the data. Raises UnknownScheme, BadStoreUri, NotFound, InUseByStore, StoreDeleteNotSupported."""
    _store(uri, backend).delete(StorageUri(uri), context=context)


def set_acls_for_multi_store(
    location_uri: str,
    backend: str,
    public: bool = False,
    read_tenants: Sequence[str] = (),
    write_tenants: Sequence[str] | None = None,
    context: object = None,
) -> None:
    """Let projects read directly from the backend; does nothing if it has no access lists."""
    set_acls_of(_store(location_uri, backend), location_uri, public, read_tenants, write_tenants, context)


def _store(uri: str, store_id: str) -> AdaptedStore:
    """Return the store with this id. Raises UnknownScheme, also if it does not have the scheme of ``uri``."""
    store = get_store_from_store_identifier(store_id)
    if scheme_of(uri) not in store.get_schemes():
        raise exceptions.UnknownScheme(scheme=scheme_of(uri))
    return store


__all__ = [
    "add",
    "add_with_multihash",
    "check_location_metadata",
    "create_multi_stores",
    "delete",
    "get",
    "get_known_schemes_for_multi_store",
    "get_size_from_uri_and_backend",
    "get_store_from_store_identifier",
    "get_store_weight",
    "register_store_opts",
    "set_acls_for_multi_store",
    "store_add_to_backend",
    "store_add_to_backend_with_multihash",
    "verify_store",
]
