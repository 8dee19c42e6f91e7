"""The import method glance-download: an image of another image service, read with the caller's own token.

Sources: api-imports-methods, api-imports-flow; the service catalogue of the Identity API v3, and its older form that
keystonemiddleware passes in X-Service-Catalog.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from glance_mini.domain.errors import Invalid
from glance_mini.fetching.downloads import Download, Downloads, FetchRefused

_LONGEST_RECORD = 1024 * 1024
_VERSION = re.compile(r"/v[0-9.]+/?$")
_INTERFACES = ("public", "internal", "admin")


class NoEndpoint(Invalid):
    """The caller's service catalogue has no image service in the region."""

    code = "import.no_endpoint"
    template = "The service catalogue has no {interface} endpoint of an image service in region {region}."


class SourceRefused(Invalid):
    """The image of the other service cannot be imported."""

    code = "import.source_refused"
    template = "Image {id} of the other image service cannot be imported: {reason}"


@dataclass(frozen=True, slots=True)
class SourceImage:
    """The imported values of an image; ``size`` in bytes. ``hashes`` are hex digests of its data by algorithm."""

    id: str
    size: int
    disk_format: str
    container_format: str
    properties: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


class CatalogueService(TypedDict, total=False):
    """A service in a service catalogue, whose other members are not used."""

    type: str
    endpoints: Sequence[Mapping[str, object]]


def find_endpoint(catalogue: Sequence[CatalogueService], region: str, interface: str = "public") -> str:
    """Return the URL of the image service of ``region``, without version; raises NoEndpoint."""
    if interface in _INTERFACES:
        for service in catalogue:
            if service.get("type") != "image":
                continue
            for endpoint in service.get("endpoints", ()):
                url = _url(endpoint, interface)
                if url and region in (endpoint.get("region_id"), endpoint.get("region")):
                    return _VERSION.sub("", url).rstrip("/")
    raise NoEndpoint(interface=interface, region=region)


def _url(endpoint: Mapping[str, object], interface: str) -> str | None:
    url = endpoint.get("url") if endpoint.get("interface") == interface else endpoint.get(f"{interface}URL")
    return url if isinstance(url, str) else None


class GlanceSource:
    """Another image service at ``endpoint``; ``token`` is the caller's."""

    def __init__(self, downloads: Downloads, endpoint: str, token: str, prefixes: Iterable[str]) -> None:
        """``prefixes``: custom properties whose names begin with one of them are imported."""
        self._downloads = downloads
        self._endpoint = endpoint
        self._headers = {"X-Auth-Token": token}
        self._prefixes = tuple(prefixes)

    def image(self, image_id: str, pause: Callable[[float], object]) -> SourceImage:
        """Return the image. Raises SourceRefused and as ``Downloads.open``; see there for ``pause``."""
        url = f"{self._endpoint}/v2/images/{image_id}"
        download = self._downloads.open(url, headers=self._headers, limit=_LONGEST_RECORD, pause=pause)
        try:
            record = json.loads(b"".join(download))
        except ValueError as error:
            raise FetchRefused(reason="The other image service did not answer with JSON.") from error
        if not isinstance(record, dict):
            raise FetchRefused(reason="The other image service did not answer with an image.")
        return self._take(image_id, record)

    def data(self, image: SourceImage, pause: Callable[[float], object]) -> Download:
        """Start to fetch the data, which must have the size of the image. Raises as ``Downloads.open``."""
        url = f"{self._endpoint}/v2/images/{image.id}/file"
        return self._downloads.open(url, headers=self._headers, size=image.size, pause=pause)

    def _take(self, image_id: str, record: Mapping[str, object]) -> SourceImage:
        if record.get("status") != "active":
            raise SourceRefused(id=image_id, reason="it is not active.")
        size, formats = record.get("size"), (record.get("disk_format"), record.get("container_format"))
        disk_format, container_format = formats
        if not (isinstance(size, int) and isinstance(disk_format, str) and isinstance(container_format, str)):
            raise SourceRefused(id=image_id, reason="its size or its formats are not known.")
        return SourceImage(
            id=image_id,
            size=size,
            disk_format=disk_format,
            container_format=container_format,
            properties={
                name: value
                for name, value in record.items()
                if name.startswith(self._prefixes) and isinstance(value, str)
            },
            hashes=_hashes(record),
        )


def _hashes(record: Mapping[str, object]) -> dict[str, str]:
    """Return the hex digests by algorithm in the record of the other service."""
    algorithm, value = record.get("os_hash_algo"), record.get("os_hash_value")
    if isinstance(algorithm, str) and isinstance(value, str):
        return {algorithm: value}
    checksum = record.get("checksum")
    return {"md5": checksum} if isinstance(checksum, str) else {}
