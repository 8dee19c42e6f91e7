"""``cinder://<volume id>`` and ``cinder://<store id>/<volume id>``: a volume."""

import uuid

from glance_mini_store.locations.base import StoreLocation, bad_uri


class CinderLocation(StoreLocation):
    """``volume_id`` is a UUID; ``store_id`` is None in the short form, else the store that wrote the URI."""

    schemes = ("cinder",)
    specs = ("volume_id", "store_id")
    volume_id: str
    store_id: str | None

    def get_uri(self) -> str:
        """Return the URI, with the store if one is known."""
        store = self.store_id or self.backend_group
        return f"cinder://{store}/{self.volume_id}" if store else f"cinder://{self.volume_id}"

    def parse_uri(self, uri: str) -> None:
        """Set the attributes; raises BadStoreUri."""
        store, slash, self.volume_id = self.split(uri).rpartition("/")
        self.store_id = store or None
        if "/" in store or (slash and not store):
            bad_uri(uri, "it must be a volume, or a store and a volume")
        try:
            canonical = str(uuid.UUID(self.volume_id))
        except ValueError:
            canonical = ""
        if not canonical or canonical != self.volume_id.lower():
            bad_uri(uri, "the volume is not a UUID")
