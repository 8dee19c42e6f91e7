"""The sources of imports: one class for each method (api-imports-methods).

A method only opens a ``Source``. Methods are entry points of the group ``glance_mini.import_methods``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from oslo_config import cfg

from glance_mini.content.failover import FailoverChunks
from glance_mini.content.signatures import SignatureCheck
from glance_mini.db.interface import DataAccess
from glance_mini.domain.bases import Delta
from glance_mini.domain.errors import Unavailable
from glance_mini.domain.image import Image
from glance_mini.domain.imports import COPY_IMAGE, GLANCE_DIRECT, GLANCE_DOWNLOAD, WEB_DOWNLOAD, ImportRequest
from glance_mini.domain.job import Job
from glance_mini.fetching.downloads import Downloads
from glance_mini.imports.glance_source import GlanceSource, NoEndpoint
from glance_mini.imports.plugins.base import Formats
from glance_mini.layers.services import Services
from glance_mini.metrics import Metrics
from glance_mini.operations.records import GetStaged
from glance_mini.plugins import PluginKind
from glance_mini.workers.base import JobFailed
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores

NAMESPACE = "glance_mini.import_methods"
OPTION = "enabled_import_methods"

Pause = Callable[[float], object]
"""Waits some seconds; raises if the job must stop."""


@dataclass(frozen=True)
class Source:
    """The data to import: ``chunks`` with ``size`` bytes in all (None: unknown), to be read once.

    ``path`` is a local file with the same bytes that a store may link in, or None. ``expected_hashes`` are the hex
    digests of the data by algorithm; ``attributes`` and ``properties`` are set on the image. ``signature`` verifies
    the data of a signed image, None if that is not needed or was done. ``incremental`` is the image whose stored delta
    this is, None for whole data.
    """

    chunks: Iterator[bytes]
    size: int | None
    path: Path | None = None
    expected_hashes: Mapping[str, str] = field(default_factory=dict)
    attributes: Formats = field(default_factory=Formats)
    properties: Mapping[str, str] = field(default_factory=dict)
    signature: SignatureCheck | None = None
    incremental: Image | None = None


class ImportMethod:
    """Base of all methods; one object serves all imports.

    The image must have ``image_status`` (queued, or uploading: with staged data), and the request must have the
    ``fields``. The API checks both; the built-in methods have rules of their own there.
    """

    name: ClassVar[str]
    image_status: ClassVar[str] = "queued"
    fields: ClassVar[tuple[str, ...]] = ()
    has_plugins: ClassVar[bool] = True
    """Whether import plugins are applied to the data."""

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        """Return the method as configured; raises ConfigurationError."""
        raise NotImplementedError

    def open(self, job: Job, request: ImportRequest, image: Image, pause: Pause) -> Source:
        """Start to read and return the source. Raises JobFailed; errors that may pass are raised unchanged."""
        raise NotImplementedError


class GlanceDirect(ImportMethod):
    """Data that was staged."""

    name = GLANCE_DIRECT

    def __init__(self, stores: Stores, data: DataAccess, node_url: str | None = None) -> None:
        """``node_url`` is the URL of this node, None if there is only one node."""
        self._stores = stores
        self._data = data
        self._node_url = node_url

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(services.stores, services.data, services.node_url)

    def open(self, job: Job, request: ImportRequest, image: Image, pause: Pause) -> Source:
        staged = self._data.run(GetStaged(image.id))
        if staged is None:
            raise JobFailed(reason="The staged data is gone.")
        if staged.node_url not in (None, self._node_url):
            # The job is bound to that node, so this happens only if the URL of the node was changed.
            raise Unavailable(reason=f"The staged data is on another node, {staged.node_url}.")
        store = self._stores.get(staged.store)
        try:
            path = store.local_path(staged.url)
            return Source(store.read(staged.url), staged.size, Path(path) if path else None)
        except store_errors.NotFound as error:
            raise JobFailed(reason="The staged data is gone.") from error


class WebDownload(ImportMethod):
    """Data of a web server that the user names."""

    name = WEB_DOWNLOAD

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(Downloads.from_config(conf))

    def open(self, job: Job, request: ImportRequest, image: Image, pause: Pause) -> Source:
        download = self._downloads.open(request.method["uri"], pause=pause)
        return Source(download, download.size)


class CopyImage(ImportMethod):
    """Data that the image has in one of its own stores."""

    name = COPY_IMAGE
    has_plugins = False

    def __init__(self, stores: Stores, metrics: Metrics) -> None:
        self._stores = stores
        self._metrics = metrics

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(services.stores, services.metrics)

    def open(self, job: Job, request: ImportRequest, image: Image, pause: Pause) -> Source:
        if not image.locations or image.size is None:
            raise JobFailed(reason="The image has no data to copy.")
        locations, delta = self._stores.order(image.locations), image.locations[0].delta
        of: Image | Delta = image if delta is None else delta
        size = of.size or 0
        chunks = FailoverChunks(self._stores, locations, 0, size, False, self._metrics)
        try:
            chunks.open()
        except store_errors.NotFound as error:
            raise JobFailed(reason="The data of the image is in none of its locations.") from error
        hashes = {str(of.os_hash_algo): str(of.os_hash_value)} if of.os_hash_value else {}
        return Source(chunks, size, expected_hashes=hashes, incremental=None if delta is None else image)


class GlanceDownload(ImportMethod):
    """An image of another image service, read with the caller's own token."""

    name = GLANCE_DOWNLOAD

    def __init__(self, downloads: Downloads, prefixes: tuple[str, ...]) -> None:
        self._downloads = downloads
        self._prefixes = prefixes

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        prefixes = tuple(conf.glance_download_properties.extra_properties)
        return cls(Downloads.from_config(conf), prefixes)

    def open(self, job: Job, request: ImportRequest, image: Image, pause: Pause) -> Source:
        if job.token is None:
            raise JobFailed(reason="The token of the request is gone.")
        if not job.input["endpoint"]:
            method = request.method
            raise NoEndpoint(interface=method.get("glance_service_interface", "public"), region=method["glance_region"])
        source = GlanceSource(self._downloads, str(job.input["endpoint"]), job.token, self._prefixes)
        found = source.image(request.method["glance_image_id"], pause)
        return Source(
            source.data(found, pause),
            found.size,
            expected_hashes=found.hashes,
            attributes={"disk_format": found.disk_format, "container_format": found.container_format},
            properties=found.properties,
        )


METHODS = PluginKind("Import method", NAMESPACE, ImportMethod)


def load_methods(conf: cfg.ConfigOpts, services: Services) -> dict[str, ImportMethod]:
    """Return the methods that ``enabled_import_methods`` names, by name; raises ConfigurationError."""
    classes = METHODS.load(conf.enabled_import_methods, OPTION)
    return METHODS.build(classes, lambda method: method.from_config(conf, services))
