"""The stores that a program has created, for functions that get no configuration.

There is at most one set of single stores (``create_stores``) and one of stores with ids (``create_multi_stores``). A
new set replaces the one before.
"""

from collections.abc import Mapping

from oslo_config import cfg

from glance_mini_store.compat import exceptions
from glance_mini_store.compat.adapted import AdaptedStore
from glance_mini_store.stores import Stores


class LoadedStores:
    """The stores of one configuration by id, reserved ones last."""

    def __init__(self, conf: cfg.ConfigOpts, stores: Stores, reserved: Mapping[str, str]) -> None:
        self.conf = conf
        self._stores = stores
        ids = [*stores.ids(), *reserved]
        self.by_id = {each: AdaptedStore(conf, stores.get(each), is_multi=stores.multi) for each in ids}

    def schemes(self) -> dict[str, list[AdaptedStore]]:
        """Return the stores of each scheme."""
        found: dict[str, list[AdaptedStore]] = {}
        for store in self.by_id.values():
            for scheme in store.get_schemes():
                found.setdefault(scheme, []).append(store)
        return found

    def close(self) -> None:
        """Close the stores."""
        self._stores.close()


_loaded: dict[str, LoadedStores] = {}

SINGLE = "single"
MULTI = "multi"


def load(kind: str, conf: cfg.ConfigOpts, reserved: Mapping[str, str] | None = None) -> LoadedStores:
    """Create the stores in ``conf`` and keep them as those of ``kind``. Raises BadStoreConfiguration and others."""
    with exceptions.translated():
        stores = Stores.from_config(conf, reserved, needs_default=False)
    loaded = LoadedStores(conf, stores, reserved or {})
    if (before := _loaded.pop(kind, None)) is not None:
        before.close()
    _loaded[kind] = loaded
    return loaded


def current(kind: str) -> LoadedStores | None:
    """Return the stores of ``kind``; None before they were created."""
    return _loaded.get(kind)


def by_scheme(kind: str) -> dict[str, list[AdaptedStore]]:
    """Return the stores of each scheme; empty before stores were created."""
    loaded = current(kind)
    return {} if loaded is None else loaded.schemes()
