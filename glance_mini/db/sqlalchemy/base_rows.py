"""Rows of ``image_bases``: the links of incremental images, and what they forbid (api-incremental-rules).

Who changes the link or the audience of an image locks the row of its base, so that two such changes exclude each other.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, not_, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from glance_mini.db.sqlalchemy.dynamic import AnyColumn
from glance_mini.db.sqlalchemy.models import image_bases, image_members, images
from glance_mini.domain import errors
from glance_mini.domain.bases import MOST_NAMED, Delta, NewLink
from glance_mini.domain.image import Image
from glance_mini.domain.query import EVERYONES

_INSERT = insert(image_bases)
_DELETE = delete(image_bases).where(image_bases.c.image_id == bindparam("image"))
_LOCK = select(images.c.id).where(images.c.id == bindparam("image")).with_for_update()
_BASE = (
    select(images.c.status, func.coalesce(image_bases.c.depth, 0))
    .join_from(images, image_bases, image_bases.c.image_id == images.c.id, isouter=True)
    .where(images.c.id == bindparam("image"))
)
_INDEX = select(image_bases.c.disk_index).where(image_bases.c.image_id == bindparam("image"))
_DEPENDENTS = (
    select(image_bases.c.image_id)
    .join_from(image_bases, images, images.c.id == image_bases.c.image_id)
    .where(
        image_bases.c.base_id == bindparam("image"),
        image_bases.c.image_id > bindparam("after"),
        images.c.status != "deleted",
    )
    .order_by(image_bases.c.image_id)
    .limit(bindparam("rows"))
)
_ACTIVE_DEPENDENTS = _DEPENDENTS.where(images.c.status == "active")
_OF_ALL = (
    select(image_bases.c.image_id, image_bases.c.cluster_size)
    .join_from(image_bases, images, images.c.id == image_bases.c.image_id)
    .where(image_bases.c.base_id.in_(bindparam("bases", expanding=True)), images.c.status != "deleted")
)
_LESS_DEEP = (
    update(image_bases)
    .where(image_bases.c.image_id.in_(bindparam("ids", expanding=True)))
    .values(depth=image_bases.c.depth - bindparam("less"), disk_index=b"")
)
_SAVE_INDEX = (
    update(image_bases)
    .where(image_bases.c.image_id == bindparam("image"), image_bases.c.depth == bindparam("bases"))
    .values(disk_index=bindparam("index"))
)

_base = images.alias("base")
_dependent = images.alias("dependent")
_of_base = image_members.alias("of_base")
_of_dependent = image_members.alias("of_dependent")


def _may_read_base(project: AnyColumn) -> ColumnElement[bool]:
    of_base = exists().where(_of_base.c.image_id == _base.c.id, _of_base.c.member == project)
    # In an inner query SQLAlchemy would select from the base once more.
    is_member = of_base.correlate(_base, _dependent, _of_dependent)
    return or_(_base.c.owner == project, and_(_base.c.visibility == "shared", is_member))


_UNREADABLE = (
    select(_dependent.c.id)
    .join_from(image_bases, _dependent, _dependent.c.id == image_bases.c.image_id)
    .join(_base, _base.c.id == image_bases.c.base_id)
    .where(
        _dependent.c.status != "deleted",
        _base.c.owner.is_not(None),
        _base.c.visibility.not_in(EVERYONES),
        or_(
            _dependent.c.owner.is_(None),
            _dependent.c.visibility.in_(EVERYONES),
            not_(_may_read_base(_dependent.c.owner)),
            and_(
                _dependent.c.visibility == "shared",
                exists().where(
                    _of_dependent.c.image_id == _dependent.c.id, not_(_may_read_base(_of_dependent.c.member))
                ),
            ),
        ),
    )
    .order_by(_dependent.c.id)
    .limit(MOST_NAMED)
)
"""Images that someone can read who cannot read their base."""
_UNREADABLE_OF_BASE = _UNREADABLE.where(image_bases.c.base_id == bindparam("image"))
_UNREADABLE_ITSELF = _UNREADABLE.where(image_bases.c.image_id == bindparam("image"))


def add(connection: Connection, image: Image, delta: Delta, link: NewLink) -> None:
    """Link ``image``, whose row is locked, to its base.

    Raises Conflict if the base is not active, LimitExceeded if there are too many bases, ChainConflict.
    """
    lock_row(connection, delta.base)
    row = connection.execute(_BASE, {"image": delta.base}).first()
    if row is None or row[0] != "active":
        raise errors.Conflict(reason=f"Image {delta.base} is not active any more and cannot be a base.")
    depth = row[1] + 1
    if depth > link.max_depth:
        raise errors.LimitExceeded(resource="bases of an image", limit=link.max_depth, wanted=depth)
    values = {"image_id": image.id, "base_id": delta.base, "depth": depth, "size": delta.size}
    connection.execute(_INSERT, values | {"cluster_size": link.cluster_size, "disk_index": link.index})
    check_own_audience(connection, image.id, delta.base)


def remove(connection: Connection, image_id: str) -> None:
    """Remove the link of an image, if it has one."""
    connection.execute(_DELETE, {"image": image_id})


def index_of(connection: Connection, image_id: str) -> bytes:
    """Return the index of the complete disk of an image, empty if there is none."""
    found: bytes | None = connection.execute(_INDEX, {"image": image_id}).scalar()
    return b"" if found is None else bytes(found)


def save_index(connection: Connection, image_id: str, depth: int, index: bytes) -> bool:
    """Keep the index of the complete disk of an image with ``depth`` bases; return whether it has so many."""
    return bool(connection.execute(_SAVE_INDEX, {"image": image_id, "bases": depth, "index": index}).rowcount)


def dependents(connection: Connection, image_id: str, max_rows: int, after: str = "") -> tuple[str, ...]:
    """Return images that are based on the image itself, in the order of their ids, after the id ``after``."""
    return tuple(connection.execute(_DEPENDENTS, {"image": image_id, "rows": max_rows, "after": after}).scalars())


def cluster_sizes_above(connection: Connection, image_id: str) -> dict[str, int]:
    """Return the cluster sizes of all images that are based on the image or on an image above it, by id."""
    found: dict[str, int] = {}
    level = [image_id]
    while level:
        rows = connection.execute(_OF_ALL, {"bases": level}).all()
        level = [row[0] for row in rows if row[0] not in found]
        found |= {row[0]: row[1] for row in rows}
    return found


def change_below(connection: Connection, image_ids: Iterable[str], less: int) -> None:
    """Note that the images have ``less`` bases fewer than before, so that their indexes are of other files."""
    if ids := sorted(image_ids):
        connection.execute(_LESS_DEEP, {"ids": ids, "less": less})


def depth_of(connection: Connection, image_id: str) -> int:
    """Return how many bases an image has; 0 for a whole one."""
    row = connection.execute(_BASE, {"image": image_id}).first()
    return 0 if row is None else int(row[1])


def is_there(connection: Connection, base_id: str) -> bool:
    """Lock an image that is named as a base, and return whether it still has its data."""
    lock_row(connection, base_id)
    row = connection.execute(_BASE, {"image": base_id}).first()
    return row is not None and row[0] != "deleted"


def check_unused(connection: Connection, image_id: str) -> None:
    """Raise ChainConflict if an image is based on that one, which is about to lose its data."""
    if found := dependents(connection, image_id, MOST_NAMED):
        raise conflict(f"Image {image_id} is the base of other images and cannot be deleted before them.", found)


def check_no_active_dependents(connection: Connection, image_id: str) -> None:
    """Raise ChainConflict if an active image is based on that one, which is about to be deactivated."""
    wanted = {"image": image_id, "rows": MOST_NAMED, "after": ""}
    if found := connection.execute(_ACTIVE_DEPENDENTS, wanted).scalars().all():
        reason = f"Image {image_id} is the base of active images, which stay readable; it is deactivated only by force."
        raise conflict(reason, found)


def check_audience_of_dependents(connection: Connection, image_id: str) -> None:
    """Raise ChainConflict if the image, after a change in this transaction, hides from readers of images above it."""
    if found := connection.execute(_UNREADABLE_OF_BASE, {"image": image_id}).scalars().all():
        reason = (
            f"Image {image_id} is the base of images that others can read, who could not read it after this change."
        )
        raise conflict(reason, found)


def check_own_audience(connection: Connection, image_id: str, base_id: str) -> None:
    """Raise ChainConflict if someone can read the image, as it is in this transaction, who cannot read its base."""
    lock_row(connection, base_id)
    if connection.execute(_UNREADABLE_ITSELF, {"image": image_id}).first() is not None:
        reason = (
            f"Image {image_id} holds only what differs from image {base_id}, which not everyone could read who would "
            "be able to read it. Repeat the request with flatten=true, or share its base as well."
        )
        raise conflict(reason, ())


def lock_row(connection: Connection, image_id: str) -> None:
    """Lock the row of an image against changes until the transaction ends."""
    # An SQLite transaction already locks the whole database.
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK, {"image": image_id})


def conflict(reason: str, image_ids: Sequence[str]) -> errors.ChainConflict:
    """Return the refusal because of the images, which it does not show yet."""
    return errors.ChainConflict(reason=reason, dependents=list(image_ids), shown="")
