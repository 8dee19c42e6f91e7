"""The data of images: upload and download (api-data-upload, api-data-download)."""

import re
from collections.abc import Callable
from typing import NamedTuple

from glance_mini.api.body import content_length
from glance_mini.api.conditions import entity_tag, is_conditional, is_range_valid, is_unchanged
from glance_mini.api.download import download_body
from glance_mini.api.errors import MalformedRange, UnsupportedMediaType
from glance_mini.api.receiving import receiving
from glance_mini.api.request import Request, parse_flag
from glance_mini.api.response import Response, empty_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import Image
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.data import COMPLETE, DELTA, RAW, DownloadData, ImageData, UploadData
from glance_mini_store.numbers import parse_number


class ImageDataController:
    """Answers ``/v2/images/{image_id}/file``."""

    def __init__(self, domain: Stack, services: Services, slots: TransferSlots, *, redirects: bool = False) -> None:
        """``redirects``: whether downloads are redirected to stores for clients that ask for it."""
        self.domain = domain
        self._redirects = redirects
        self._several_stores = services.stores.multi
        self._slots = slots
        self._buffers = services.buffers

    def upload(self, request: Request, image_id: str) -> Response:
        """Upload the data of an image; nothing is read before the layers ask for it."""
        check_media_type(request)
        store = request.headers.get("x-image-meta-store") if self._several_stores else None
        size = declared_size(request)
        with receiving(request, size, self._slots, self._buffers) as (chunks, blocks):
            op = UploadData(image_id, chunks=chunks, blocks=blocks, size=size, store=store)
            self.domain.call(request.context, op)
        return empty_response()

    def download(self, request: Request, image_id: str) -> Response:
        """Download the data of an image, or a range of it."""
        wanted = parse_byte_range(request.headers.get("Range"), request.headers.get("Content-Range"))
        prefer, shape = self._preferred(request), parse_shape(request)
        direct = wants_redirect(request) and self._redirects
        if direct or is_conditional(request.headers):
            described = self._describe(request, image_id, prefer, shape, direct=direct)
            if described is not None:
                if is_unchanged(request.headers, entity_tag(described.image)):
                    return _not_modified(described.image)
                if described.url is not None:
                    described.on_redirect()
                    return _redirection(described.url)
                if not is_range_valid(request.headers, entity_tag(described.image)):
                    wanted = WHOLE
        release = self._slots.take(request.context)
        try:
            op = DownloadData(image_id, first=wanted.first, last=wanted.last, prefer=prefer, shape=shape)
            data: ImageData | None = self.domain.call(request.context, op)
            if data is not None:
                return _answer_with(data, request, wanted is WHOLE, release)
        except BaseException:
            release()
            raise
        release()
        return empty_response()

    def describe(self, request: Request, image_id: str) -> Response:
        """Answer HEAD: the headers of a whole download, made without access to a store."""
        data = self._describe(request, image_id, self._preferred(request), parse_shape(request))
        if data is None:
            return empty_response()
        if is_unchanged(request.headers, entity_tag(data.image)):
            return _not_modified(data.image)
        response = _answer(data.image, 0, data.length, whole=True)
        response.content_length = data.length
        return response

    def _describe(
        self, request: Request, image_id: str, prefer: tuple[str, ...], shape: str, *, direct: bool = False
    ) -> ImageData | None:
        """Return what a whole download would, without its data, after every layer has allowed it."""
        op = DownloadData(image_id, prefer=prefer, head=True, direct=direct, shape=shape)
        return self.domain.call(request.context, op)

    def _preferred(self, request: Request) -> tuple[str, ...]:
        text = request.GET.get("prefer")
        if text is None:
            return ()
        if not self._several_stores:
            raise Invalid(reason="Stores can be preferred only if there are several.")
        return tuple(name.strip() for name in text.split(",") if name.strip())


def _answer_with(data: ImageData, request: Request, whole: bool, on_close: Callable[[], None]) -> Response:
    response = _answer(data.image, data.offset, data.length, whole)
    response.app_iter = download_body(request.environ, data.chunks, whole, on_close)
    response.content_length = data.length
    return response


def _answer(image: Image, offset: int, length: int, whole: bool) -> Response:
    response = Response(status=200 if whole else 206, content_type=MEDIA_TYPE, charset=None)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers.update(_validators(image))
    if image.checksum:
        response.headers["Content-MD5"] = image.checksum
    if not whole:
        response.headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{image.size}"
    response.content_length = length
    return response


def wants_redirect(request: Request) -> bool:
    """Return whether the client asks to be sent to the store: ``Prefer: redirect`` (RFC 7240) or ``?redirect=true``.

    Raises Invalid for another value of the parameter than true or false.
    """
    text: str | None = request.GET.get("redirect")
    if text is None:
        named = {each.partition(";")[0].strip().lower() for each in request.headers.get("Prefer", "").split(",")}
        return "redirect" in named
    if text not in ("true", "false"):
        raise Invalid(reason="The parameter redirect must be true or false.")
    return text == "true"


def _redirection(url: str) -> Response:
    """Return the answer that sends the client to the store; the address in it is a secret for a while."""
    response = Response(status=307)
    del response.content_type
    response.headers["Location"] = url
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Preference-Applied"] = "redirect"
    return response


def _not_modified(image: Image) -> Response:
    response = Response(status=304)
    response.headers.update(_validators(image))
    return response


def _validators(image: Image) -> dict[str, str]:
    """Return the headers by which a cache of the caller recognises the data again."""
    tag = entity_tag(image)
    return {"Cache-Control": "private", **({"ETag": tag} if tag else {})}


def parse_shape(request: Request) -> str:
    """Return what a download is to be of: ``?format=raw``, ``?delta=true``, else the data; raises Invalid."""
    wanted, is_delta = request.GET.get("format"), parse_flag(request, "delta")
    if wanted not in (None, RAW):
        raise Invalid(reason=f"The format of a download can be {RAW} only.")
    if wanted is not None and is_delta:
        raise Invalid(reason="A delta is sent as it is stored; name no format.")
    return DELTA if is_delta else wanted or COMPLETE


MEDIA_TYPE = "application/octet-stream"


def check_media_type(request: Request) -> None:
    """Raise UnsupportedMediaType for a body that is not plain bytes."""
    if request.environ.get("CONTENT_TYPE", "").lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(wanted=MEDIA_TYPE)


def declared_size(request: Request) -> int | None:
    """Return the bytes that the client announces in a header of this API or in Content-Length; raises Invalid."""
    text = request.headers.get("x-openstack-image-size")
    if text is None:
        return content_length(request.environ)
    size = parse_number(text)
    if size is None:
        raise Invalid(reason="x-openstack-image-size must be a number of bytes.")
    return size


_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/(\*|[0-9]+)")


class ByteRange(NamedTuple):
    """Byte positions, both inclusive; ``first`` None: the last ``last`` bytes, ``last`` None: to the end."""

    first: int | None
    last: int | None


WHOLE = ByteRange(None, None)


def parse_byte_range(range_header: str | None, content_range: str | None) -> ByteRange:
    """Return the range that the headers ask for, WHOLE if they name none.

    ``Content-Range`` in a request is the historic form of ``Range``; it must be one that an answer could have. Raises
    Invalid for several ranges, MalformedRange for a header that cannot be parsed.
    """
    if range_header is not None:
        if "," in range_header:
            raise Invalid(reason="Only one range can be served at a time.")
        return _parse(_RANGE.fullmatch(range_header.strip()), range_header)
    if content_range is not None:
        match = _CONTENT_RANGE.fullmatch(content_range.strip())
        wanted = _parse(match, content_range)
        if match and match[3] != "*" and int(wanted.last or 0) >= _position(match[3], content_range):
            raise MalformedRange(range=content_range)
        return wanted
    return WHOLE


def _parse(match: re.Match[str] | None, text: str) -> ByteRange:
    if match is None:
        raise MalformedRange(range=text)
    first, last = (_position(part, text) if part else None for part in match.groups()[:2])
    if (first is None and last is None) or (first is not None and last is not None and first > last):
        raise MalformedRange(range=text)
    return ByteRange(first, last)


def _position(digits: str, text: str) -> int:
    number = parse_number(digits)
    if number is None:
        raise MalformedRange(range=text)
    return number
