"""All stores: created from the configuration, found by id or by location.

``factory`` creates the stores; ``store`` defines one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, Self, TypeVar

from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.factory import assemble
from glance_mini_store.loading import list_opts
from glance_mini_store.location import SCHEME_TO_CLS_MAP, get_location_from_uri
from glance_mini_store.settings import register_opts
from glance_mini_store.store import Store
from glance_mini_store.web.target import AddressJudge

_FOR_NOBODY = ("file", "filesystem", "swift+config")
"""Schemes of which nobody may name a location: local files, and a reference to the service's own configuration."""


class HasLocation(Protocol):
    """Anything with the URL of some data and the metadata of that location."""

    @property
    def url(self) -> str:
        """Return the storage URI."""

    @property
    def metadata(self) -> Mapping[str, object]:
        """Return the metadata; ``store`` in it is a store id."""


_HasLocation = TypeVar("_HasLocation", bound=HasLocation)


class Stores:
    """The stores in the order of the configuration; ``multi``: whether ``enabled_backends`` is set."""

    def __init__(self, stores: Iterable[Store], *, multi: bool = True, buffers: Buffers | None = None) -> None:
        self._stores = {store.id: store for store in stores}
        self._buffers = buffers
        self.multi = multi

    @classmethod
    def from_config(
        cls,
        conf: cfg.ConfigOpts,
        reserved: Mapping[str, str] | None = None,
        judge: AddressJudge | None = None,
        *,
        buffers: Buffers | None = None,
        needs_default: bool = True,
    ) -> Self:
        """Return the stores in ``conf``, checked and ready; ``reserved`` adds stores as id → driver.

        ``judge`` checks the addresses that are read for users; None allows any. ``buffers`` is the memory that all
        drivers borrow from; None: each has its own budget. ``needs_default`` False: ``default`` may be missing.
        Raises BadStoreConfiguration, DriverLoadFailure, or what the check of a driver raised.
        """
        stores, multi = assemble(conf, reserved or {}, judge, buffers=buffers, needs_default=needs_default)
        return cls(stores, multi=multi, buffers=buffers)

    def update(
        self, conf: cfg.ConfigOpts, reserved: Mapping[str, str] | None = None, judge: AddressJudge | None = None
    ) -> None:
        """Become the stores in ``conf``; arguments and errors as ``from_config``, and after an error nothing changes.

        Stores whose settings are the same keep their drivers. A driver that is not used any more is closed when the
        last read and the last write that began before have ended. Raises BadStoreConfiguration if stores by id take the
        place of those by driver, or these of those.
        """
        register_opts(conf)
        if bool(conf.enabled_backends) != self.multi:
            reason = "whether stores have ids cannot change while the service runs; start it again"
            raise errors.BadStoreConfiguration(option="enabled_backends", reason=reason)
        stores, _ = assemble(conf, reserved or {}, judge, self._stores, buffers=self._buffers)
        self._stores = {store.id: store for store in stores}

    @property
    def default(self) -> Store:
        """Return the store for new data if the request names none. Raises UnknownStore if no store is the default."""
        for store in self:
            if store.is_default:
                return store
        raise errors.UnknownStore(store_id="default")

    def get(self, store_id: str) -> Store:
        """Return the store with this id, which may be reserved. Raises UnknownStore."""
        try:
            return self._stores[store_id]
        except KeyError:
            raise errors.UnknownStore(store_id=store_id) from None

    def __iter__(self) -> Iterator[Store]:
        return (store for store in self._stores.values() if not store.reserved)

    def ids(self) -> list[str]:
        """Return the ids in the order of the configuration, without reserved stores."""
        return [store.id for store in self]

    def for_location(self, uri: str, store_id: str | None = None) -> Store:
        """Return the store that holds ``uri``.

        It is the store ``store_id``, else the one with the longest matching prefix. If several have it, their backends
        are asked; where none knows it is the first. A store whose driver cannot be loaded may have any scheme. Raises
        UnknownStore, UnknownScheme (also for a store of another scheme), BadStoreUri if a store has the scheme but none
        has a matching prefix.
        """
        fitting = self._fitting(uri, store_id)
        if len(fitting) == 1:
            return fitting[0]
        return next((store for store in fitting if store.is_owner(uri)), fitting[0])

    def _fitting(self, uri: str, store_id: str | None) -> list[Store]:
        """Return the stores that fit best, at least one; errors as ``for_location``."""
        scheme = _scheme(uri)
        stores = [self.get(store_id)] if store_id else list(self._stores.values())
        if not (store_id and not stores[0].driver.schemes):
            stores = [store for store in stores if scheme in store.driver.schemes]
        if not stores:
            raise errors.UnknownScheme(scheme=scheme)
        if store_id:
            return stores[:1]
        longest = max(_match(store, uri) for store in stores)
        if not longest:
            raise errors.BadStoreUri(location=uri, reason="it is in no configured store")
        return [store for store in stores if _match(store, uri) == longest]

    def validate_user_location(self, uri: str, *, trusted: bool = False) -> Store:
        """Return the store of a location that a caller wants to add; accesses a backend only as ``for_location``.

        Users may add those that the driver allows them, ``trusted`` callers (administrators and services) any location
        of a configured store. Raises BadStoreUri for a malformed URI and for locations that the caller may not add,
        UnknownScheme if no store serves it. Source: api-locations-rules.
        """
        scheme = _scheme(uri)
        if scheme in _FOR_NOBODY:
            raise errors.BadStoreUri(location=uri, reason=f"nobody can add a location of scheme {scheme}")
        store = self.for_location(uri)
        if store.reserved or not (trusted or store.driver.is_for_users(uri)):
            raise errors.BadStoreUri(location=uri, reason=f"you cannot add this location of scheme {scheme}")
        if scheme in SCHEME_TO_CLS_MAP:
            get_location_from_uri(uri)
        return store

    def order(self, locations: Iterable[_HasLocation]) -> list[_HasLocation]:
        """Return ``locations`` by store weight, highest first; unknown stores come last."""
        return sorted(locations, key=self._rank)

    def close(self) -> None:
        """Close every store; called once at shutdown."""
        for store in self._stores.values():
            store.close()

    def _rank(self, location: HasLocation) -> float:
        named = location.metadata.get("store")
        try:
            return -self._fitting(location.url, str(named) if named else None)[0].weight
        except errors.StoreError:
            return float("inf")


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    if not separator or not scheme:
        raise errors.BadStoreUri(location=uri, reason="it has no scheme")
    return scheme


def _match(store: Store, uri: str) -> int:
    """Return the length of the longest prefix of ``store`` that ``uri`` begins with, 0 if none."""
    return max((len(prefix) for prefix in store.driver.prefixes if uri.startswith(prefix)), default=0)


__all__ = ["HasLocation", "Stores", "list_opts", "register_opts"]
