"""Operations on the links of an image, and the data calls on them."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from glance_mini.domain.links import Link, Maker
from glance_mini.operations.base import DataCall, DataQuery, ImageOperation, Operation

MAX_LISTED = 1000
"""The most links that one list holds."""


@dataclass(frozen=True)
class AddLink(ImageOperation[Link], DataCall[Link]):
    """Make a link to the data of the image that is valid for ``lifetime``, and return it.

    ``digest`` is the hash of its secret. The layers set ``link``, with the caller, and ``limit``, the maximum number of
    valid links of the caller's project, the new one included; None means any number. Raises LimitExceeded, NotFound.
    """

    name: ClassVar[str] = "add_link"
    internal: ClassVar[bool] = False
    digest: str = field(default="", repr=False)
    lifetime: timedelta = timedelta(minutes=15)
    link: Link | None = None
    limit: int | None = None


@dataclass(frozen=True)
class ListLinks(ImageOperation[tuple[Link, ...]], DataQuery[tuple[Link, ...]]):
    """Return the valid links of the image that the caller may see, those that end first; at most ``MAX_LISTED``.

    ``maker`` limits the result to the links of one user in one project; None means all.
    """

    name: ClassVar[str] = "list_links"
    internal: ClassVar[bool] = False
    maker: Maker | None = None


@dataclass(frozen=True)
class DeleteLink(ImageOperation[None], DataCall[None]):
    """End a link of the image. Raises LinkNotFound, also for one that ``maker`` did not make; None is any."""

    name: ClassVar[str] = "delete_link"
    internal: ClassVar[bool] = False
    link_id: str = ""
    maker: Maker | None = None


@dataclass(frozen=True)
class FindLink(DataQuery[Link]):
    """Return the link whose secret has the hash ``digest``. Raises LinkNotFound, also for one that has expired."""

    name: ClassVar[str] = "find_link"
    digest: str = field(repr=False)


@dataclass(frozen=True)
class PurgeLinks(DataCall[int]):
    """Remove up to ``max_rows`` links that have expired, and return their number."""

    name: ClassVar[str] = "purge_links"
    may_repeat: ClassVar[bool] = True
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (AddLink, ListLinks, DeleteLink, FindLink, PurgeLinks)
