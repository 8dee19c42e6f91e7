"""Links to the data of images (api-links). A link is valid until its time by the clock of the database."""

from dataclasses import fields, replace
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select

from glance_mini.db.sqlalchemy import locks
from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.expired_rows import removal_from
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.models import image_links
from glance_mini.domain import errors
from glance_mini.domain.links import Link, Maker
from glance_mini.operations.links import MAX_LISTED, AddLink, DeleteLink, FindLink, GetLink, ListLinks, PurgeLinks

_ROW = image_links.c
_FIELDS = tuple(field.name for field in fields(Link))
_COLUMNS = tuple(_ROW[name] for name in _FIELDS)
_JSON = ("roles", "service_roles")

_OF_IMAGE = _ROW.image_id == bindparam("image")
_VALID = _ROW.expires_at > bindparam("now", type_=_ROW.expires_at.type)
_LIST = select(*_COLUMNS).where(_OF_IMAGE, _VALID).order_by(_ROW.expires_at, _ROW.id).limit(MAX_LISTED)
_GET = select(*_COLUMNS).where(_ROW.id == bindparam("link"), _OF_IMAGE, _VALID)
_FIND = select(*_COLUMNS).where(_ROW.digest == bindparam("digest"), _VALID)
_COUNT = select(func.count()).where(_VALID)
_INSERT = insert(image_links)
_DELETE = delete(image_links).where(_ROW.id == bindparam("link"), _OF_IMAGE)
_DELETE_OF_IMAGE = delete(image_links).where(_OF_IMAGE)
_remove_expired = removal_from(image_links)


def add(connection: Connection, call: AddLink, now: datetime) -> Link:
    """Insert and return a link; raises LimitExceeded, NotFound (no such image)."""
    assert call.link is not None, "no layer said who makes the link"
    link = replace(call.link, created_at=now, expires_at=now + call.lifetime)
    if call.limit is not None:
        locks.wait(connection, locks.ADD_LINK)
        # A caller without a project is an administrator, and these count together.
        count = connection.execute(_COUNT.where(_ROW.project_id == link.project_id), {"now": now}).scalar_one()
        if count + 1 > call.limit:
            raise errors.LimitExceeded(resource="links_per_project", limit=call.limit, wanted=count + 1)
    records.lock(connection, link.image_id)
    values = {name: getattr(link, name) for name in _FIELDS}
    lists = {name: orjson.dumps(values[name]).decode() for name in _JSON}
    connection.execute(_INSERT, values | lists | {"digest": call.digest})
    return link


def list_links(connection: Connection, call: ListLinks, now: datetime) -> tuple[Link, ...]:
    """Return the valid links of an image."""
    rows = connection.execute(_LIST.where(*_made_by(call.maker)), {"image": call.image_id, "now": now})
    return tuple(_link(row) for row in rows)


def remove(connection: Connection, call: DeleteLink, now: datetime) -> None:
    """Delete a link of an image; raises LinkNotFound."""
    found = connection.execute(
        _DELETE.where(*_made_by(call.maker)), {"link": call.link_id, "image": call.image_id}
    ).rowcount
    if not found:
        raise errors.LinkNotFound()


def get(connection: Connection, call: GetLink, now: datetime) -> Link:
    """Return a valid link of an image; raises LinkNotFound."""
    row = connection.execute(_GET, {"link": call.link_id, "image": call.image_id, "now": now}).first()
    if row is None:
        raise errors.LinkNotFound()
    return _link(row)


def find(connection: Connection, call: FindLink, now: datetime) -> Link:
    """Return a valid link by the hash of its secret; raises LinkNotFound."""
    row = connection.execute(_FIND, {"digest": call.digest, "now": now}).first()
    if row is None:
        raise errors.LinkNotFound()
    return _link(row)


def purge(connection: Connection, call: PurgeLinks, now: datetime) -> int:
    """Delete links that have expired; return their number."""
    return _remove_expired(connection, now, call.max_rows)


def remove_of_image(connection: Connection, image_id: str) -> None:
    """Delete all links of an image."""
    connection.execute(_DELETE_OF_IMAGE, {"image": image_id})


def _made_by(maker: Maker | None) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the links of ``maker``; of all if it is None."""
    return () if maker is None else (_ROW.user_id == maker[0], _ROW.project_id == maker[1])


def _link(row: RowValues) -> Link:
    values = dict(zip(_FIELDS, row, strict=True))
    return Link(**{**values, **{name: tuple(orjson.loads(values[name])) for name in _JSON}})


TIMED_QUERIES = {ListLinks: list_links, GetLink: get, FindLink: find}
WRITES = {AddLink: add, DeleteLink: remove, PurgeLinks: purge}
