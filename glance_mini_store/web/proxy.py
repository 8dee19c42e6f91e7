"""A proxy between the guarded client and a web server, and Basic credentials for headers."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from glance_mini_store.errors import BadStoreConfiguration
from glance_mini_store.web.target import DEFAULT_PORTS


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy server; ``credentials`` is the value of ``Proxy-Authorization``, None if it needs none."""

    host: str
    port: int
    credentials: str | None = None

    @classmethod
    def from_url(cls, url: str) -> "Proxy":
        """Return the proxy ``http://[user:password@]host[:port]``; raises BadStoreConfiguration."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or DEFAULT_PORTS["http"]
        except ValueError as error:
            raise BadStoreConfiguration(option="http_proxy_information", reason="it cannot be read") from error
        if parts.scheme != "http" or not parts.hostname:
            raise BadStoreConfiguration(option="http_proxy_information", reason="a proxy must be http://host:port")
        user = None if parts.username is None else basic(unquote(parts.username), unquote(parts.password or ""))
        return cls(parts.hostname, port, user)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers for the proxy."""
        return {} if self.credentials is None else {"Proxy-Authorization": self.credentials}


def basic(user: str, password: str) -> str:
    """Return the header value of Basic credentials (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
