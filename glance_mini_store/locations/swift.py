"""``swift://`` and its variants: an object in Swift.

``swift[+http|+https]://[user:key@]authhost[/authpath]/container/object``: without credentials the first part is
a storage URL (multi-tenant). ``swift+config://reference/container/object``: the driver looks up the
reference.
"""

from urllib.parse import quote, unquote

from glance_mini_store.locations.base import StoreLocation, bad_uri, split_credentials, split_object


class SwiftLocation(StoreLocation):
    """``auth_or_store_url`` is host and path without a scheme (for ``swift+config``: the reference); ``user``
    (perhaps ``account:user``) and ``key`` are percent-decoded.
    """

    schemes = ("swift", "swift+https", "swift+http", "swift+config")
    specs = ("auth_or_store_url", "user", "key", "container", "obj")
    auth_or_store_url: str
    user: str | None
    key: str | None
    container: str
    obj: str

    @property
    def swift_url(self) -> str:
        """Return the http or https URL of the service; for ``swift+config`` the bare reference."""
        if self.scheme == "swift+config":
            return self.auth_or_store_url
        return f"{'http' if self.scheme == 'swift+http' else 'https'}://{self.auth_or_store_url}"

    def get_uri(self) -> str:
        """Return the URI with its credentials."""
        credentials = ""
        if self.user is not None:
            credentials = f"{quote(self.user, safe='')}:{quote(self.key or '', safe='')}@"
        return f"{self.scheme}://{credentials}{self.auth_or_store_url}/{self.container}/{self.obj}"

    def parse_uri(self, uri: str) -> None:
        """Set the attributes; raises BadStoreUri."""
        rest = self.split(uri)
        if uri.count("://") != 1:
            bad_uri(uri, "it must hold '://' once")
        credentials, target = split_credentials(rest)
        self.auth_or_store_url, self.container, self.obj = split_object(uri, target)
        self.user = self.key = None
        if credentials is not None:
            self._set_credentials(uri, credentials)
        if self.scheme == "swift+config":
            self._check_reference(uri)

    def _set_credentials(self, uri: str, credentials: str) -> None:
        """Set user and key from ``user:key``, or from ``account:user:key`` of older services."""
        user, _, key = credentials.rpartition(":")
        if not user or not key or user.count(":") > 1:
            bad_uri(uri, "credentials must be user:key")
        self.user, self.key = unquote(user), unquote(key)

    def _check_reference(self, uri: str) -> None:
        if self.user is not None or "/" in self.auth_or_store_url:
            bad_uri(uri, "it must be a reference, a container and an object")
