"""The data of images: upload and download (reference 5.1, 5.2)."""

from collections.abc import Callable

from glance_mini.api.body import read_chunks
from glance_mini.api.download import download_body
from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.api.v2.byte_range import WHOLE, parse_byte_range
from glance_mini.api.v2.upload_body import MEDIA_TYPE, check_media_type, declared_size
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import Image
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.data import DownloadData, ImageData, UploadData


class ImageDataController:
    """Answers ``/v2/images/{image_id}/file``."""

    def __init__(self, domain: Stack, services: Services, slots: TransferSlots) -> None:
        self.domain = domain
        self._several_stores = services.stores.multi
        self._slots = slots

    def upload(self, request: Request, image_id: str) -> Response:
        """Take the data of an image; nothing is read before the layers ask for it."""
        check_media_type(request)
        store = request.headers.get("x-image-meta-store") if self._several_stores else None
        size = declared_size(request)
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
