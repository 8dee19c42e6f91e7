"""The data of images: upload and download (reference 5.1, 5.2)."""

from collections.abc import Callable

from oslo_config import cfg

from glance_mini.api.body import content_length, read_chunks
from glance_mini.api.download import download_body
from glance_mini.api.errors import UnsupportedMediaType
from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.api.v2.byte_range import WHOLE, parse_byte_range
from glance_mini.conf.server import max_transfers
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import Image
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.data import DownloadData, ImageData, UploadData

MEDIA_TYPE = "application/octet-stream"


class ImageDataController:
    """Answers ``/v2/images/{image_id}/file``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, services: Services) -> None:
        self.domain = domain
        self._several_stores = services.stores.multi
        self._slots = TransferSlots(max_transfers(conf))

    def upload(self, request: Request, image_id: str) -> Response:
        """Take the data of an image; nothing is read before the layers ask for it."""
        if request.environ.get("CONTENT_TYPE", "").lower() != MEDIA_TYPE:
            raise UnsupportedMediaType(wanted=MEDIA_TYPE)
        store = request.headers.get("x-image-meta-store") if self._several_stores else None
        size = _declared_size(request)
        release = self._slots.take()
        try:
            chunks = read_chunks(request.environ)
            self.domain.call(request.context, UploadData(image_id, chunks=chunks, size=size, store=store))
        finally:
            release()
        return empty_response()

    def download(self, request: Request, image_id: str) -> Response:
        """Give the data of an image, or a range of it."""
        wanted = parse_byte_range(request.headers.get("Range"), request.headers.get("Content-Range"))
        release = self._slots.take()
        try:
            op = DownloadData(image_id, first=wanted.first, last=wanted.last, prefer=self._preferred(request))
            data: ImageData | None = self.domain.call(request.context, op)
            if data is not None:
                return _answer_with(data, request, wanted is WHOLE, release)
        except BaseException:
            release()
            raise
        release()
        return empty_response()

    def describe(self, request: Request, image_id: str) -> Response:
        """Answer HEAD: the headers of a whole download, made without touching a store."""
        op = DownloadData(image_id, prefer=self._preferred(request), head=True)
        data: ImageData | None = self.domain.call(request.context, op)
        if data is None:
            return empty_response()
        response = _answer(data.image, 0, data.length, whole=True)
        response.content_length = data.length
        return response

    def _preferred(self, request: Request) -> tuple[str, ...]:
        text = request.GET.get("prefer")
        if text is None:
            return ()
        if not self._several_stores:
            raise Invalid(reason="Stores can be preferred only where there are several.")
        return tuple(name.strip() for name in text.split(",") if name.strip())


def _declared_size(request: Request) -> int | None:
    """Return the bytes that the client announces, by a header of this API or by Content-Length."""
    text = request.headers.get("x-openstack-image-size")
    if text is None:
        return content_length(request.environ)
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Invalid(reason="x-openstack-image-size must be a number of bytes.")
    return int(text)


def _answer_with(data: ImageData, request: Request, whole: bool, on_close: Callable[[], None]) -> Response:
    response = _answer(data.image, data.offset, data.length, whole)
    response.app_iter = download_body(request.environ, data.chunks, whole, on_close)
    response.content_length = data.length
    return response


def _answer(image: Image, offset: int, length: int, whole: bool) -> Response:
    response = Response(status=200 if whole else 206, content_type=MEDIA_TYPE, charset=None)
    if image.checksum:
        response.headers["Content-MD5"] = image.checksum
    if not whole:
        response.headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{image.size}"
    response.content_length = length
    return response
