"""``http[s]://[user:password@]host[:port]/path[?query]``: data on a web server."""

from urllib.parse import unquote

from glance_mini_store.locations.base import StoreLocation, bad_uri, check_host, split_credentials


class HttpLocation(StoreLocation):
    """``netloc`` is host and port, ``query`` is without ``?`` (None: no query); ``user`` and ``password`` are not
    decoded. A fragment is dropped, because a server never gets it.
    """

    schemes = ("http", "https")
    specs = ("user", "password", "netloc", "path", "query")
    user: str | None
    password: str | None
    netloc: str
    path: str | None
    query: str | None

    def get_uri(self) -> str:
        """Return the URI with its credentials."""
        credentials = "" if self.user is None else f"{self.user}:{self.password}@"
        return f"{self.scheme}://{credentials}{self._target()}"

    def public_uri(self) -> str:
        """Return the URI without credentials, for requests."""
        return f"{self.scheme}://{self._target()}"

    def credentials(self) -> tuple[str, str] | None:
        """Return user and password, percent-decoded; None if there are none."""
        if self.user is None:
            return None
        return unquote(self.user), unquote(self.password or "")

    def parse_uri(self, uri: str) -> None:
        """Set the attributes; raises BadStoreUri."""
        rest = self.split(uri).partition("#")[0]
        before, mark, query = rest.partition("?")
        self.query = query if mark else None
        authority, slash, path = before.partition("/")
        self.path = slash + path
        credentials, self.netloc = split_credentials(authority)
        self.user = self.password = None
        if credentials is not None:
            parts = credentials.split(":")
            if len(parts) != 2 or not parts[0]:
                bad_uri(uri, "credentials must be user:password")
            self.user, self.password = parts
        check_host(uri, self.netloc)

    def _target(self) -> str:
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.netloc}{self.path or ''}{query}"
