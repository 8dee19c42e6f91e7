"""Storage locations by URI: the grammar of each scheme, and the objects that hold the parts of a URI.

All schemes of api-uris are known here, even if no store for them is configured. The functions and maps are those
of api-library-location. ``redact`` returns the part of a URI that may be shown.
"""

from collections.abc import Mapping
from typing import TypedDict

from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.image_address import image_address
from glance_mini_store.locations.base import StoreLocation
from glance_mini_store.locations.cinder import CinderLocation
from glance_mini_store.locations.file import FileLocation
from glance_mini_store.locations.http import HttpLocation
from glance_mini_store.locations.rbd import RbdLocation
from glance_mini_store.locations.s3 import S3Location
from glance_mini_store.locations.sheepdog import SheepdogLocation
from glance_mini_store.locations.swift import SwiftLocation
from glance_mini_store.locations.vmware import VmwareLocation
from glance_mini_store.redaction import redact


class SchemeEntry(TypedDict):
    """What is known of a scheme; ``store`` is None if only the grammar is."""

    store: object
    location_class: type[StoreLocation]
    store_entry: str


_BUILT_IN: dict[str, type[StoreLocation]] = {
    "file": FileLocation,
    "http": HttpLocation,
    "swift": SwiftLocation,
    "s3": S3Location,
    "rbd": RbdLocation,
    "cinder": CinderLocation,
    "vmware": VmwareLocation,
    "sheepdog": SheepdogLocation,
}

SCHEME_TO_CLS_MAP: dict[str, SchemeEntry] = {
    scheme: {"store": None, "location_class": location_class, "store_entry": store_entry}
    for store_entry, location_class in _BUILT_IN.items()
    for scheme in location_class.schemes
}
"""Scheme to entry; extended by ``register_scheme_map``."""

SCHEME_TO_CLS_BACKEND_MAP: dict[str, dict[str, SchemeEntry]] = {}
"""Scheme to store id to entry; extended by ``register_scheme_backend_map``."""


class Location:
    """The location of some data, with its store.

    ``store_location`` holds the parts; they come from ``uri`` or, without one, from ``store_specs``. Raises
    BadStoreUri.
    """

    def __init__(
        self,
        store_name: str,
        store_location_class: type[StoreLocation],
        conf: cfg.ConfigOpts | None,
        uri: str | None = None,
        image_id: str | None = None,
        store_specs: Mapping[str, object] | None = None,
        backend: str | None = None,
    ) -> None:
        self.store_name = store_name
        self.image_id = image_id
        self.store_specs = dict(store_specs or {})
        self.conf = conf
        self.backend_group = backend
        self.store_location = store_location_class(self.store_specs, conf, backend_group=backend)
        if uri:
            self.store_location.parse_uri(uri)

    def get_store_uri(self) -> str:
        """Return the storage URI of the data; it may hold credentials."""
        return self.store_location.get_uri()

    def get_uri(self) -> str | None:
        """Return the address of the image for users, ``host:port/images/<image_id>``, never with a credential.

        None without an id, or if the configuration has no address of the API server.
        """
        return None if self.image_id is None else image_address(self.conf, self.image_id)


def get_location_from_uri(uri: str, conf: cfg.ConfigOpts | None = None, image_id: str | None = None) -> Location:
    """Return the location that ``uri`` names, of the data of ``image_id``. Raises UnknownScheme, BadStoreUri."""
    scheme = _scheme(uri)
    if scheme not in SCHEME_TO_CLS_MAP:
        raise errors.UnknownScheme(scheme=scheme)
    return _location(uri, SCHEME_TO_CLS_MAP[scheme], conf, None, image_id)


def get_location_from_uri_and_backend(
    uri: str, backend: str, conf: cfg.ConfigOpts | None = None, image_id: str | None = None
) -> Location:
    """Return the location of ``uri`` in the store ``backend``, of the data of ``image_id``.

    Raises BadStoreUri, and UnknownScheme for a scheme that was not registered for this store.
    """
    scheme = _scheme(uri)
    if backend not in SCHEME_TO_CLS_BACKEND_MAP.get(scheme, {}):
        raise errors.UnknownScheme(scheme=scheme)
    return _location(uri, SCHEME_TO_CLS_BACKEND_MAP[scheme][backend], conf, backend, image_id)


def register_scheme_map(scheme_map: Mapping[str, SchemeEntry]) -> None:
    """Add scheme → entry to ``SCHEME_TO_CLS_MAP``; an entry replaces the one that was there."""
    SCHEME_TO_CLS_MAP.update(scheme_map)


def register_scheme_backend_map(scheme_map: Mapping[str, Mapping[str, SchemeEntry]]) -> None:
    """Add scheme → store id → entry to ``SCHEME_TO_CLS_BACKEND_MAP``; other stores of the scheme stay."""
    for scheme, stores in scheme_map.items():
        SCHEME_TO_CLS_BACKEND_MAP.setdefault(scheme, {}).update(stores)


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    if not separator:
        raise errors.BadStoreUri(location=uri, reason="it has no scheme")
    return scheme


def _location(
    uri: str, entry: SchemeEntry, conf: cfg.ConfigOpts | None, backend: str | None, image_id: str | None
) -> Location:
    return Location(entry["store_entry"], entry["location_class"], conf, uri, image_id, backend=backend)


__all__ = [
    "SCHEME_TO_CLS_BACKEND_MAP",
    "SCHEME_TO_CLS_MAP",
    "Location",
    "StoreLocation",
    "get_location_from_uri",
    "get_location_from_uri_and_backend",
    "redact",
    "register_scheme_backend_map",
    "register_scheme_map",
]
