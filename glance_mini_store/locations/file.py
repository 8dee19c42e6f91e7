"""``file://<absolute path>`` and its old alias ``filesystem://``: a file of this machine."""

from glance_mini_store.locations.base import StoreLocation, bad_uri


class FileLocation(StoreLocation):
    """``path`` is the path in the URI, not percent-decoded; ``get_uri`` always uses ``file``."""

    schemes = ("file", "filesystem")
    specs = ("path",)
    path: str

    def get_uri(self) -> str:
        """Return the URI of the file."""
        return f"file://{self.path}"

    def parse_uri(self, uri: str) -> None:
        """Set ``path``, which may have spaces; raises BadStoreUri for a control character or an empty path."""
        self.validate_schemas(uri, [f"{scheme}://" for scheme in self.schemes])
        self.scheme, _, self.path = uri.partition("://")
        if not self.path:
            bad_uri(uri, "it must have a path")
        if not self.path.isprintable():
            bad_uri(uri, "it holds a control character")
