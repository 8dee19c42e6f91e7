"""The address of an S3 service, as it stands in the configuration and in locations."""

from dataclasses import dataclass
from typing import Self

from glance_mini_store import errors
from glance_mini_store.locations.base import check_host
from glance_mini_store.locations.s3 import S3Location

_SECURE = {"s3": True, "s3+https": True, "s3+http": False}

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True)
class Endpoint:
    """``host`` is the name of the host, perhaps with port and path; ``is_secure`` whether it is reached over TLS."""

    host: str
    is_secure: bool

    @classmethod
    def from_option(cls, text: str, option: str = "s3_store_host") -> Self:
        """Return the endpoint that ``option`` names as ``text``. Raises BadStoreConfiguration."""
        scheme, separator, rest = text.partition("://")
        host = (rest if separator else text).rstrip("/")
        if separator and scheme not in ("http", "https"):
            raise errors.BadStoreConfiguration(option=option, reason="the scheme must be http or https")
        try:
            check_host(text, host.partition("/")[0])
        except errors.BadStoreUri as error:
            reason = "it must be a host, perhaps with scheme, port and path, and without credentials"
            raise errors.BadStoreConfiguration(option=option, reason=reason) from error
        return cls(host, not separator or scheme == "https")

    @classmethod
    def of_location(cls, location: S3Location) -> Self:
        """Return the endpoint of a location."""
        return cls(location.s3serviceurl, _SECURE[location.scheme])

    @property
    def url(self) -> str:
        """Return the URL of the service."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}"

    @property
    def scheme(self) -> str:
        """Return the scheme of locations."""
        return "s3+https" if self.is_secure else "s3+http"

    def location(self, bucket: str, key: str) -> str:
        """Return the location of an object, without credentials."""
        return f"{self.scheme}://{self.host}/{bucket}/{key}"

    def url_style(self, wanted: str) -> str:
        """Return ``virtual`` or ``path``; ``wanted`` may also be ``auto``: virtual at Amazon, path elsewhere."""
        if wanted != "auto":
            return wanted
        name = self.host.partition("/")[0].partition(":")[0].lower()
        return "virtual" if name.endswith(_AMAZON) else "path"
