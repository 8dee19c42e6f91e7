"""The body of a request that brings data: its type and its size (reference 5.1, 5.3)."""

from glance_mini.api.body import content_length
from glance_mini.api.errors import UnsupportedMediaType
from glance_mini.api.request import Request
from glance_mini.domain.errors import Invalid

MEDIA_TYPE = "application/octet-stream"


def check_media_type(request: Request) -> None:
    """Raise UnsupportedMediaType for a body that is not plain bytes."""
    if request.environ.get("CONTENT_TYPE", "").lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(wanted=MEDIA_TYPE)


def declared_size(request: Request) -> int | None:
    """Return the bytes that the client announces, by a header of this API or by Content-Length; Invalid."""
    text = request.headers.get("x-openstack-image-size")
    if text is None:
        return content_length(request.environ)
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Invalid(reason="x-openstack-image-size must be a number of bytes.")
    return int(text)
