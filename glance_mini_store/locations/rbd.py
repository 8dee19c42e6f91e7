"""``rbd://<image>`` and ``rbd://<fsid>/<pool>/<image>/<snapshot>``, each part percent-encoded.

nova and cinder parse the long form to clone images, so it must not change.
"""

from urllib.parse import quote, unquote

from glance_mini_store.locations.base import StoreLocation, bad_uri


class RbdLocation(StoreLocation):
    """The decoded parts; ``fsid``, ``pool`` and ``snapshot`` are None in the short form."""

    schemes = ("rbd",)
    specs = ("fsid", "pool", "image", "snapshot")
    fsid: str | None
    pool: str | None
    image: str
    snapshot: str | None

    def get_uri(self) -> str:
        """Return the long form if all parts are known, else the short one."""
        if self.fsid and self.pool and self.snapshot:
            parts = [self.fsid, self.pool, self.image, self.snapshot]
        else:
            parts = [self.image]
        return "rbd://" + "/".join(quote(part, safe="") for part in parts)

    def parse_uri(self, uri: str) -> None:
        """Set the parts; raises BadStoreUri."""
        if not uri.isascii():
            bad_uri(uri, "it must be ASCII")
        parts = [unquote(part) for part in self.split(uri).split("/")]
        if not all(parts):
            bad_uri(uri, "a part is empty")
        if len(parts) == 1:
            self.fsid, self.pool, self.image, self.snapshot = None, None, parts[0], None
        elif len(parts) == 4:
            self.fsid, self.pool, self.image, self.snapshot = parts
        else:
            bad_uri(uri, "it must have one part or four")
