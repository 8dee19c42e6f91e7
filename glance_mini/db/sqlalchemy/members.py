"""Members of images (api-members). An ended membership leaves no row, so the project can become a member again."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from glance_mini.db.sqlalchemy import base_rows, event_log
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.models import image_members, images
from glance_mini.domain import errors
from glance_mini.domain.event_log import event_of_member
from glance_mini.domain.member import Member
from glance_mini.operations.members import AddMember, DeleteMember, GetMember, ListMembers, UpdateMember

_COLUMNS = tuple(image_members.c[name] for name in ("image_id", "member", "status", "created_at", "updated_at"))
_OF_IMAGE = image_members.c.image_id == bindparam("image")
_KEY = (_OF_IMAGE, image_members.c.member == bindparam("project"))
_LIST = select(*_COLUMNS).where(_OF_IMAGE).order_by(image_members.c.created_at, image_members.c.member)
_ONE = select(*_COLUMNS).where(*_KEY)
_NAMES = select(image_members.c.member).where(_OF_IMAGE)
_IMAGE = select(images.c.owner, images.c.visibility).where(images.c.id == bindparam("image"))
_INSERT = insert(image_members)
_UPDATE = update(image_members).where(*_KEY)
_DELETE = delete(image_members).where(*_KEY)


def list_members(connection: Connection, call: ListMembers) -> tuple[Member, ...]:
    """Return the members of the image, or only the named one, in the order of their creation."""
    if call.member_id is None:
        rows = connection.execute(_LIST, {"image": call.image_id})
    else:
        rows = connection.execute(_ONE, {"image": call.image_id, "project": call.member_id})
    return tuple(Member(*row) for row in rows)


def get(connection: Connection, call: GetMember) -> Member:
    """Return one member of the image; raises NotFound."""
    return _get(connection, {"image": call.image_id, "project": call.member_id})


def add(connection: Connection, call: AddMember, now: datetime) -> Member:
    """Insert and return a pending member; raises Duplicate, NotFound (no such image), LimitExceeded."""
    image_id, member_id, limit = call.image_id, call.member_id, call.limit
    image = records.lock(connection, image_id)
    present = connection.execute(_NAMES, {"image": image_id}).scalars().all()
    if member_id in present:
        raise errors.Duplicate(kind="Member", id=member_id)
    if limit is not None and len(present) + 1 > limit:
        raise errors.LimitExceeded(resource="image_member_quota", limit=limit, wanted=len(present) + 1)
    member = Member(image_id, member_id, "pending", now, now)
    connection.execute(_INSERT, _row(member) | {"image_created_at": image.created_at})
    if image.base is not None:
        base_rows.check_own_audience(connection, image_id, image.base)
    event_log.note(connection, event_of_member("create", member, image.owner, image.visibility))
    return member


def update_status(connection: Connection, call: UpdateMember, now: datetime) -> Member:
    """Set the status of a membership and return the member; raises NotFound."""
    key = {"image": call.image_id, "project": call.member_id}
    connection.execute(_UPDATE, key | {"status": call.status, "updated_at": now})
    member = _get(connection, key)
    _note(connection, "update", member)
    return member


def remove(connection: Connection, call: DeleteMember, now: datetime) -> Member:
    """End a membership and return the deleted member; raises NotFound, ChainConflict."""
    base_rows.lock_row(connection, call.image_id)
    key = {"image": call.image_id, "project": call.member_id}
    member = _get(connection, key)
    if not connection.execute(_DELETE, key).rowcount:
        raise errors.NotFound(kind="member", id=call.member_id)
    base_rows.check_audience_of_dependents(connection, call.image_id)
    _note(connection, "delete", member)
    return replace(member, updated_at=now, deleted_at=now)


def _note(connection: Connection, kind: str, member: Member) -> None:
    if event_log.is_kept(connection):
        owner, visibility = connection.execute(_IMAGE, {"image": member.image_id}).one()
        event_log.note(connection, event_of_member(kind, member, owner, visibility))


def _get(connection: Connection, key: dict[str, str]) -> Member:
    row = connection.execute(_ONE, key).first()
    if row is None:
        raise errors.NotFound(kind="member", id=key["project"])
    return Member(*row)


def _row(member: Member) -> dict[str, object]:
    return {
        "image_id": member.image_id,
        "member": member.member_id,
        "status": member.status,
        "created_at": member.created_at,
        "updated_at": member.updated_at,
    }


QUERIES = {ListMembers: list_members, GetMember: get}
WRITES = {AddMember: add, UpdateMember: update_status, DeleteMember: remove}
