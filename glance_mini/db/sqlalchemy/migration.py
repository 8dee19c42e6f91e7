"""Stores whole images that come from another image service, many in one transaction, and reads them for the way back.

An image is compared with what is stored, so a second run changes only what differs. The rows of properties, tags and
locations of a changed image are written anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from oslo_db.exception import DBDuplicateEntry
from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    false,
    insert,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from glance_mini.db.sqlalchemy import usage
from glance_mini.db.sqlalchemy.dynamic import AnySelect, AnyTable
from glance_mini.db.sqlalchemy.images.rows import base_values, image_columns, stored_metadata, to_image
from glance_mini.db.sqlalchemy.jobs import rows as job_rows
from glance_mini.db.sqlalchemy.models import (
    digest,
    image_locations,
    image_members,
    image_properties,
    image_tags,
    image_tombstones,
    images,
    jobs,
    pending_deletes,
)
from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.job import SCRUB, Job
from glance_mini.domain.member import Member
from glance_mini.domain.migration import BuriedId, ImageRecord, TakenOver
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.operations.migration import BuryImages, ListBuried, ListRecords, TakeOverImages, TakeOverJobs

Rows = list[dict[str, object]]

_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_LOCK = select(images.c.id).where(images.c.id.in_(_IDS)).order_by(images.c.id).with_for_update()
_STORED = select(*image_columns(), images.c.deleted).where(images.c.id.in_(_IDS))
_MEMBERS = (
    select(*(image_members.c[name] for name in ("image_id", "member", "status", "created_at", "updated_at")))
    .where(image_members.c.image_id.in_(_IDS))
    .order_by(image_members.c.image_id, image_members.c.created_at, image_members.c.member)
)
_IN_TRASH = select(pending_deletes.c.image_id, pending_deletes.c.scrub_at).where(pending_deletes.c.image_id.in_(_IDS))
_BURIED = select(image_tombstones.c.id).where(image_tombstones.c.id.in_(_IDS))
_STATES = select(images.c.id, images.c.updated_at, images.c.deleted).where(images.c.id.in_(_IDS))
_UPDATE = update(images).where(images.c.id == bindparam("image")).values(version=images.c.version + 1)
_UPDATE_MEMBER = update(image_members).where(
    image_members.c.image_id == bindparam("image"), image_members.c.member == bindparam("project")
)
_DELETE_MEMBER = delete(image_members).where(
    image_members.c.image_id == bindparam("image"), image_members.c.member == bindparam("project")
)
_REMOVE = delete(images).where(images.c.id.in_(_IDS))
_CHILDREN = (image_properties, image_tags, image_locations, pending_deletes)
_JOBS = select(*job_rows.COLUMNS).where(jobs.c.id.in_(_IDS))
_DELETE_JOBS = delete(jobs).where(jobs.c.id.in_(_IDS))
_IS_KEPT = or_(images.c.deleted == false(), images.c.status == PENDING_DELETE)
_SIZES = (
    select(images.c.id, images.c.child_bytes)
    .where(images.c.id > bindparam("after"), _IS_KEPT)
    .order_by(images.c.id)
    .limit(bindparam("rows"))
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """An image as it is stored here; ``is_deleted``: for good."""

    record: ImageRecord
    is_deleted: bool


def take_over(connection: Connection, call: TakeOverImages, now: datetime) -> TakenOver:
    """Store the images of ``call`` that are new or differ; return what was done."""
    wanted = {record.image.id: record for record in call.records}
    connection.execute(_LOCK, {"ids": list(wanted)})
    stored = _read(connection, wanted)
    buried = set(connection.execute(_BURIED, {"ids": list(wanted)}).scalars())
    new = [record for key, record in wanted.items() if key not in stored and key not in buried]
    changed: list[ImageRecord] = []
    unchanged: list[ImageRecord] = []
    kept = sorted(buried & wanted.keys())
    for key, own in stored.items():
        if own.is_deleted:
            kept.append(key)
        elif _same(own.record, wanted[key]):
            unchanged.append(wanted[key])
        elif own.record.image.updated_at > wanted[key].image.updated_at:
            kept.append(key)
        else:
            changed.append(wanted[key])
    members = _Members()
    for record in (*unchanged, *changed):
        members.compare(record, stored[record.image.id].record.members)
    touched = members.images - {record.image.id for record in changed}
    if not call.is_rehearsal:
        with _single_writer():
            _write(connection, new, changed, members, now)
        before = sum((_used(stored[record.image.id].record.image) for record in changed), Counter())
        after = sum((_used(record.image) for record in (*new, *changed)), Counter())
        usage.change(connection, before, after)
    return TakenOver(len(new), len(changed) + len(touched), len(unchanged) - len(touched), tuple(kept))


def bury(connection: Connection, call: BuryImages, now: datetime) -> TakenOver:
    """Remove the images with the ids of ``call`` and make the ids tombstones; return what was done."""
    wanted = {one.id: one.deleted_at for one in call.buried}
    ids = list(wanted)
    connection.execute(_LOCK, {"ids": ids})
    rows = {row.id: row for row in connection.execute(_STATES, {"ids": ids})}
    buried = set(connection.execute(_BURIED, {"ids": ids}).scalars())
    living = {key: row.updated_at for key, row in rows.items() if not row.deleted}
    kept = [key for key, changed_at in living.items() if (end := wanted[key]) is not None and changed_at > end]
    ended = [key for key in living if key not in kept]
    new = [key for key in ids if key not in rows and key not in buried]
    if not call.is_rehearsal:
        before = sum((_used(own.record.image) for own in _read(connection, ended).values()), Counter())
        if ended:
            connection.execute(_REMOVE, {"ids": ended})
        with _single_writer():
            _insert(connection, image_tombstones, [{"id": key} for key in (*ended, *new)])
        usage.change(connection, before, Counter())
    return TakenOver(len(new), len(ended), len(ids) - len(new) - len(ended) - len(kept), tuple(kept))


def take_over_jobs(connection: Connection, call: TakeOverJobs, now: datetime) -> TakenOver:
    """Store the records of the ended jobs of ``call`` that are new or differ; return what was done."""
    ids = {"ids": [job.id for job in call.jobs]}
    stored = {job.id: job for job in map(job_rows.to_job, connection.execute(_JOBS, ids))}
    new = [job for job in call.jobs if job.id not in stored]
    changed = [job for job in call.jobs if job.id in stored and stored[job.id] != job]
    if not call.is_rehearsal:
        if changed:
            connection.execute(_DELETE_JOBS, {"ids": [job.id for job in changed]})
        with _single_writer():
            _insert(connection, jobs, [job_rows.row_of(job) for job in (*new, *changed)])
    return TakenOver(len(new), len(changed), len(call.jobs) - len(new) - len(changed))


def list_records(connection: Connection, call: ListRecords) -> tuple[ImageRecord, ...]:
    """Return the next images with their members, in the order of their ids."""
    ids: list[str] = []
    room = call.max_bytes
    for row in connection.execute(_SIZES, {"after": call.after, "rows": call.max_rows}):
        room -= row.child_bytes
        if ids and room < 0:
            break
        ids.append(row.id)
    stored = _read(connection, ids)
    # An image may be gone since.
    return tuple(stored[key].record for key in ids if key in stored)


def list_buried(connection: Connection, call: ListBuried) -> tuple[BuriedId, ...]:
    """Return the next ids of images that are deleted for good."""
    rows = connection.execute(_ALL_BURIED, {"after": call.after, "rows": call.max_rows})
    return tuple(BuriedId(*row) for row in rows)


def _all_buried() -> AnySelect:
    gone = union_all(
        select(image_tombstones.c.id, null().cast(images.c.deleted_at.type).label("deleted_at")),
        select(images.c.id, images.c.deleted_at).where(images.c.deleted == true(), images.c.status != PENDING_DELETE),
    ).subquery()
    return select(gone).where(gone.c.id > bindparam("after")).order_by(gone.c.id).limit(bindparam("rows"))


_ALL_BURIED = _all_buried()


def _read(connection: Connection, keys: Iterable[str]) -> dict[str, _Stored]:
    ids = {"ids": list(keys)}
    if not ids["ids"]:
        return {}
    members: dict[str, list[Member]] = {}
    for member in connection.execute(_MEMBERS, ids):
        members.setdefault(member.image_id, []).append(Member(*member))
    trash: dict[str, datetime] = {row.image_id: row.scrub_at for row in connection.execute(_IN_TRASH, ids)}
    found = {}
    for row in connection.execute(_STORED, ids):
        image = to_image(row)
        record = ImageRecord(image, tuple(members.get(image.id, ())), trash.get(image.id))
        found[image.id] = _Stored(record, bool(row.deleted) and record.scrub_at is None)
    return found


def _same(own: ImageRecord, other: ImageRecord) -> bool:
    """Return whether both images are the same; the numbers of locations and the order of tags do not count."""
    return own.scrub_at == other.scrub_at and _plain(own.image) == _plain(other.image)


def _plain(image: Image) -> Image:
    locations = tuple(replace(location, id=None) for location in image.locations)
    return replace(image, tags=tuple(sorted(image.tags)), locations=locations)


def _used(image: Image) -> usage.Usage:
    return usage.of_deleted(image) if image.status == PENDING_DELETE else usage.of_image(image)


class _Members:
    """The changes of the members of images that exist here."""

    def __init__(self) -> None:
        self.images: set[str] = set()
        self.new: list[tuple[Member, datetime]] = []
        self.changed: list[Member] = []
        self.ended: list[Member] = []

    def compare(self, record: ImageRecord, stored: Sequence[Member]) -> None:
        """Note the changes that make the ``stored`` members those of ``record``; of two states the later one wins."""
        own = {member.member_id: member for member in stored}
        for member in record.members:
            known = own.get(member.member_id)
            if member.deleted_at is not None:
                if known is not None and known.updated_at <= member.deleted_at:
                    self.ended.append(member)
                    self.images.add(record.image.id)
            elif known is None:
                self.new.append((member, record.image.created_at))
                self.images.add(record.image.id)
            elif known != member and known.updated_at <= member.updated_at:
                self.changed.append(member)
                self.images.add(record.image.id)


def _write(
    connection: Connection, new: Sequence[ImageRecord], changed: Sequence[ImageRecord], members: _Members, now: datetime
) -> None:
    if changed:
        ids = {"ids": [record.image.id for record in changed]}
        for table in _CHILDREN:
            connection.execute(delete(table).where(table.c.image_id.in_(_IDS)), ids)
        connection.execute(_UPDATE, [_image_row(record) | {"image": record.image.id} for record in changed])
    _insert(connection, images, [_image_row(record) for record in new])
    both = (*new, *changed)
    for table, rows in _child_rows(record.image for record in both):
        _insert(connection, table, rows)
    living = [
        _member_row(member, record.image.created_at)
        for record in new
        for member in record.members
        if member.deleted_at is None
    ]
    _insert(connection, image_members, living + [_member_row(*each) for each in members.new])
    for member in members.changed:
        values = {"status": member.status, "created_at": member.created_at, "updated_at": member.updated_at}
        connection.execute(_UPDATE_MEMBER, {"image": member.image_id, "project": member.member_id} | values)
    for member in members.ended:
        connection.execute(_DELETE_MEMBER, {"image": member.image_id, "project": member.member_id})
    _fill_trash(connection, [record for record in both if record.scrub_at is not None], now)


def _image_row(record: ImageRecord) -> dict[str, object]:
    is_deleted = record.scrub_at is not None
    return base_values(record.image) | {"deleted": is_deleted, "deleted_at": record.image.deleted_at}


def _member_row(member: Member, image_created_at: datetime) -> dict[str, object]:
    return {
        "image_id": member.image_id,
        "member": member.member_id,
        "status": member.status,
        "created_at": member.created_at,
        "updated_at": member.updated_at,
        "image_created_at": image_created_at,
    }


def _child_rows(of: Iterable[Image]) -> Iterator[tuple[AnyTable, Rows]]:
    properties: Rows = []
    tags: Rows = []
    locations: Rows = []
    for image in of:
        key: Mapping[str, object] = {"image_id": image.id, "image_created_at": image.created_at}
        properties += [
            {**key, "name": name, "value": value, "value_digest": digest(name, value)}
            for name, value in image.properties.items()
        ]
        tags += [{**key, "value": tag} for tag in image.tags]
        locations += [
            {
                "image_id": image.id,
                "position": position,
                "value": location.url,
                "meta_data": stored_metadata(location),
                "status": location.status,
            }
            for position, location in enumerate(image.locations)
        ]
    yield image_properties, properties
    yield image_tags, tags
    yield image_locations, locations


def _fill_trash(connection: Connection, records: Sequence[ImageRecord], now: datetime) -> None:
    """Note until when the images can be restored, and add the jobs that delete them after that."""
    trash: Rows = [{"image_id": record.image.id, "status": "active", "scrub_at": record.scrub_at} for record in records]
    _insert(connection, pending_deletes, trash)
    scrubs = [
        Job(
            id=str(uuid4()),
            kind=SCRUB,
            created_at=now,
            updated_at=now,
            due_at=record.scrub_at,
            image_id=record.image.id,
            project_id=record.image.owner,
        )
        for record in records
    ]
    _insert(connection, jobs, [job_rows.row_of(job) for job in scrubs])


def _insert(connection: Connection, table: AnyTable, rows: Rows) -> None:
    if rows:
        connection.execute(insert(table), rows)


@contextmanager
def _single_writer() -> Iterator[None]:
    try:
        yield
    except DBDuplicateEntry as error:
        reason = "Another process has stored the same images at this moment; run the migration again."
        raise errors.Conflict(reason=reason) from error


QUERIES = {ListRecords: list_records, ListBuried: list_buried}
WRITES = {TakeOverImages: take_over, BuryImages: bury, TakeOverJobs: take_over_jobs}
