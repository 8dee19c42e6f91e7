"""Operations on the data of an image."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.image import Image
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.domain.upload_session import UploadSession
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class UploadData(ImageOperation[Image]):
    """Store ``chunks`` as the data of a queued image and return the active image.

    ``size`` in bytes, None if the client did not announce it; ``store`` is the id of the store, None for the default.
    ``chunks`` is read only after every check that needs no data, and raises ClientGone if the body ends too early.
    A chunk may change when ``blocks`` further ones have been asked for.
    If ``transfer_id`` is None, the layers choose one. ``base_image`` is set by the layers: what the property
    ``os_base_image`` names, None if it does not exist or if the caller may not read it. ``session`` is the complete
    upload session whose bytes ``chunks`` are, None for the body of a request.
    """

    name: ClassVar[str] = "upload_data"
    for_owner: ClassVar[bool] = True
    chunks: Iterable[bytes | bytearray | memoryview] = field(default=(), repr=False)
    blocks: int = 1
    size: int | None = None
    store: str | None = None
    limits: Limits = NO_LIMITS
    transfer_id: str | None = None
    base_image: Image | None = None
    session: UploadSession | None = None


COMPLETE, RAW, DELTA = SHAPES = ("complete", "raw", "delta")
"""What a download is of: the data of the image, for an incremental one its complete disk; the bytes that a guest would
see; or what is stored of an incremental image."""


@dataclass(frozen=True)
class ImageData:
    """Data of an image: ``chunks`` yields ``length`` bytes from ``offset`` of the image and has ``close()``.

    If ``chunks.file`` exists and is not None, it is a binary file with the same bytes at the same offset, for servers
    that can send a file; its position is the progress of the sending. ``close()`` must always be called.

    ``url`` is an address by which anybody reads the whole data from its store for a while; None unless it was asked for
    and there is one. Who sends a client there calls ``on_redirect``.
    """

    image: Image
    chunks: Iterator[bytes]
    offset: int
    length: int
    url: str | None = field(default=None, repr=False)
    on_redirect: Callable[[], object] = field(default=lambda: None, repr=False)


@dataclass(frozen=True)
class DownloadData(ImageOperation[ImageData | None]):
    """Return ``ImageData``, or None if the image has no data.

    ``first`` and ``last`` are byte positions as in a Range header, both inclusive: ``first`` None means the last
    ``last`` bytes, ``last`` None the end, both None the whole. ``prefer`` names stores to try first.
    ``head`` asks for the result of a download without its data: no data is read and no event is sent. ``direct`` asks,
    together with ``head``, for the ``url`` of the data in its store. ``shape`` is one of SHAPES. ``chain`` is set by
    the layers: an incremental image and its bases, all of which the caller may see. Raises RangeNotSatisfiable, and
    Conflict if the image does not have that shape.
    """

    name: ClassVar[str] = "download_data"
    writes: ClassVar[bool] = False
    first: int | None = None
    last: int | None = None
    prefer: tuple[str, ...] = ()
    head: bool = False
    direct: bool = False
    shape: str = COMPLETE
    chain: tuple[Image, ...] = ()


OPERATIONS: tuple[type[Operation[object]], ...] = (UploadData, DownloadData)
