"""The ``location`` module of api-library-compat.

It is ``glance_mini_store.location`` with the exceptions of this package. The maps of schemes are the same objects.
"""

from collections.abc import Iterable, Mapping

from oslo_config import cfg

from glance_mini_store import location as ours
from glance_mini_store.compat import exceptions
from glance_mini_store.location import (
    SCHEME_TO_CLS_BACKEND_MAP,
    SCHEME_TO_CLS_MAP,
    register_scheme_backend_map,
    register_scheme_map,
)
from glance_mini_store.locations.base import StoreLocation as GrammarOfOurs


class StoreLocation(GrammarOfOurs):
    """The base of a class of locations: ``process_specs``, ``get_uri`` and ``parse_uri`` are to be overridden."""

    schemes = ("",)

    def __init__(
        self, store_specs: Mapping[str, object] | None, conf: cfg.ConfigOpts | None, backend_group: str | None = None
    ) -> None:
        self.specs = dict(store_specs or {})  # type: ignore[assignment, misc]
        self.conf = conf
        self.backend_group = backend_group
        if self.specs:
            self.process_specs()

    def process_specs(self) -> None:
        """Set the attributes from ``specs``."""
        raise NotImplementedError

    def get_uri(self) -> str:
        """Return the storage URI."""
        raise NotImplementedError

    def parse_uri(self, uri: str) -> None:
        """Set the attributes from ``uri``; raises BadStoreUri."""
        raise NotImplementedError

    @staticmethod
    def validate_schemas(uri: str, valid_schemas: Iterable[str]) -> None:
        """Raise BadStoreUri unless ``uri`` begins with one of ``valid_schemas`` (each with its ``://``)."""
        with exceptions.translated():
            GrammarOfOurs.validate_schemas(uri, valid_schemas)


class Location(ours.Location):
    """The location of some data, with its store; raises BadStoreUri."""

    def __init__(
        self,
        store_name: str,
        store_location_class: type[GrammarOfOurs],
        conf: cfg.ConfigOpts | None,
        uri: str | None = None,
        image_id: str | None = None,
        store_specs: Mapping[str, object] | None = None,
        backend: str | None = None,
    ) -> None:
        with exceptions.translated():
            super().__init__(store_name, store_location_class, conf, uri, image_id, store_specs, backend)


def get_location_from_uri(uri: str, conf: cfg.ConfigOpts | None = None, image_id: str | None = None) -> ours.Location:
    """Return the location that ``uri`` names. Raises UnknownScheme, BadStoreUri."""
    with exceptions.translated():
        return ours.get_location_from_uri(uri, conf, image_id)


def get_location_from_uri_and_backend(
    uri: str, backend: str, conf: cfg.ConfigOpts | None = None, image_id: str | None = None
) -> ours.Location:
    """Return the location of ``uri`` in the store ``backend``. Raises UnknownScheme, BadStoreUri."""
    with exceptions.translated():
        return ours.get_location_from_uri_and_backend(uri, backend, conf, image_id)


__all__ = [
    "SCHEME_TO_CLS_BACKEND_MAP",
    "SCHEME_TO_CLS_MAP",
    "Location",
    "StoreLocation",
    "get_location_from_uri",
    "get_location_from_uri_and_backend",
    "register_scheme_backend_map",
    "register_scheme_map",
]
