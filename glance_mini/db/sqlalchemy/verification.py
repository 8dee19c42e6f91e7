"""Runs of the verification of stored data, the copies that they read, and their findings."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime

import orjson
from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, literal, select, union_all, update

from glance_mini.db.sqlalchemy import locks, models
from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.jobs import rows
from glance_mini.domain import errors
from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import FINISHED, Job
from glance_mini.domain.verification import Finding, StoredCopy, Verification
from glance_mini.operations.jobs import AddJob
from glance_mini.operations.verification import (
    BeginVerification,
    CountCopies,
    EndVerification,
    FindData,
    ListCopies,
    ListFindings,
    ListVerifications,
    RecordFindings,
    ReplaceLocation,
)

MOST_RUNS = 100
"""Runs whose rows are kept."""

_RUN, _FINDING = models.verifications.c, models.findings.c
_IMAGE, _PLACE = models.images.c, models.image_locations.c

_RUNS = (
    select(_RUN.job_id, _RUN.began_at, _RUN.ended_at, _RUN.counts)
    .order_by(_RUN.began_at.desc(), _RUN.job_id)
    .limit(bindparam("rows"))
)
_OLD_RUNS = select(_RUN.began_at).order_by(_RUN.began_at.desc()).offset(MOST_RUNS - 1).limit(1)
_INSERT_RUN = insert(models.verifications)
_END_RUN = update(models.verifications).where(_RUN.job_id == bindparam("run"))
_BEGAN = select(_RUN.began_at).where(_RUN.job_id == bindparam("run"))
_FORGET_RUNS = delete(models.verifications).where(_RUN.began_at <= bindparam("until", type_=_RUN.began_at.type))

_COPIES = (
    select(
        _PLACE.image_id,
        _PLACE.id,
        _PLACE.value,
        _PLACE.meta_data,
        _PLACE.status,
        *(_IMAGE[name] for name in ("size", "checksum", "os_hash_algo", "os_hash_value")),
    )
    .join_from(models.image_locations, models.images, _IMAGE.id == _PLACE.image_id)
    .where(_PLACE.id > bindparam("after"))
    .order_by(_PLACE.id)
    .limit(bindparam("rows"))
)
_COUNT = select(func.count()).select_from(models.image_locations)

_FIELDS = tuple(each.name for each in fields(Finding))
_FINDINGS = (
    select(*(_FINDING[name] for name in _FIELDS))
    .where(_FINDING.id > bindparam("after"))
    .order_by(_FINDING.id)
    .limit(bindparam("rows"))
)
_COUNT_FINDINGS = select(func.count()).select_from(models.findings)
_INSERT_FINDING = insert(models.findings)
_DELETE_FINDING = delete(models.findings).where(
    _FINDING.store == bindparam("in_store"), _FINDING.subject == bindparam("of")
)
_FORGET_FINDINGS = delete(models.findings).where(
    _FINDING.store.in_(bindparam("stores", expanding=True)),
    _FINDING.found_at < bindparam("began", type_=_FINDING.found_at.type),
)

_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_URLS: BindParameter[str] = bindparam("urls", expanding=True)
_TABLES = (
    (models.transfers, models.transfers.c.name),
    (models.staged_data, models.staged_data.c.value),
    (models.image_locations, _PLACE.value),
    (models.deletions, models.deletions.c.value),
)
# One statement sees one snapshot, so data that moves from one table to another is not missed.
_KNOWN = union_all(
    select(_IMAGE.id, literal("")).where(_IMAGE.id.in_(_IDS)),
    select(models.image_tombstones.c.id, literal("")).where(models.image_tombstones.c.id.in_(_IDS)),
    *(select(table.c.image_id, value).where(table.c.image_id.in_(_IDS)) for table, value in _TABLES),
)
_NAMED = union_all(*(select(value).where(value.in_(_URLS)) for _, value in _TABLES[1:]))


def begin(connection: Connection, call: BeginVerification, now: datetime) -> Job | None:
    """Add the job and its run unless another one goes on or has begun too recently."""
    locks.wait(connection, locks.VERIFY)
    found = connection.execute(_RUNS, {"rows": 1}).first()
    last = None if found is None else _to_run(found)
    if last is not None and _goes_on(connection, last):
        if call.interval is None:
            raise errors.Conflict(reason=f"A verification goes on already; its job is {last.job_id}.")
        return None
    if last is not None and call.interval is not None and last.began_at + call.interval > now:
        return None
    if (old := connection.execute(_OLD_RUNS).scalar()) is not None:
        connection.execute(_FORGET_RUNS, {"until": old})
    connection.execute(_INSERT_RUN, {"job_id": call.job.id, "began_at": now, "counts": "{}"})
    return rows.add(connection, AddJob(call.job), now)


def _goes_on(connection: Connection, run: Verification) -> bool:
    try:
        return run.ended_at is None and rows.get(connection, run.job_id).state not in FINISHED
    except errors.NotFound:
        return False


def end(connection: Connection, call: EndVerification, now: datetime) -> None:
    """End the run, and forget older findings in the stores that it has seen whole."""
    rows.lock_held(connection, call.job)
    values = {"ended_at": now, "counts": orjson.dumps(dict(call.counts)).decode()}
    connection.execute(_END_RUN, {"run": call.job.id} | values)
    began = connection.execute(_BEGAN, {"run": call.job.id}).scalar()
    if call.stores and began is not None:
        connection.execute(_FORGET_FINDINGS, {"stores": list(call.stores), "began": began})


def list_runs(connection: Connection, call: ListVerifications) -> tuple[Verification, ...]:
    """Return the latest runs."""
    return tuple(_to_run(row) for row in connection.execute(_RUNS, {"rows": call.max_rows}))


def list_copies(connection: Connection, call: ListCopies) -> tuple[StoredCopy, ...]:
    """Return a page of copies."""
    found = connection.execute(_COPIES, {"after": call.after, "rows": call.max_rows})
    return tuple(
        StoredCopy(image_id, Location(url, orjson.loads(metadata), status, number), *known)
        for image_id, number, url, metadata, status, *known in found
    )


def count_copies(connection: Connection, call: CountCopies) -> int:
    """Return the number of copies."""
    return connection.execute(_COUNT).scalar_one()


def find_data(connection: Connection, call: FindData) -> dict[str, frozenset[str]]:
    """Return what is known of images and of locations."""
    found: dict[str, set[str]] = {}
    if call.image_ids:
        for image_id, value in connection.execute(_KNOWN, {"ids": list(call.image_ids)}):
            found.setdefault(image_id, set()).add(value)
    if call.urls:
        found[""] = set(connection.execute(_NAMED, {"urls": list(call.urls)}).scalars())
    return {key: frozenset(values - {""}) for key, values in found.items()}


def record(connection: Connection, call: RecordFindings, now: datetime) -> int:
    """Record findings as far as there is room, and return their number."""
    locks.wait(connection, locks.VERIFY)
    for each in call.findings:
        connection.execute(_DELETE_FINDING, {"in_store": each.store, "of": each.subject})
    room = max(0, call.most - connection.execute(_COUNT_FINDINGS).scalar_one())
    kept = list(_values(call.findings[:room], now))
    if kept:
        connection.execute(_INSERT_FINDING, kept)
    return len(kept)


def _values(findings: tuple[Finding, ...], now: datetime) -> Iterator[dict[str, object]]:
    for each in findings:
        values = {name: getattr(each, name) for name in _FIELDS if name != "id"}
        yield values | {"found_at": now}


def list_findings(connection: Connection, call: ListFindings) -> tuple[Finding, ...]:
    """Return a page of findings."""
    found = connection.execute(_FINDINGS, {"after": call.after, "rows": call.max_rows})
    return tuple(Finding(**dict(zip(_FIELDS, row, strict=True))) for row in found)


def replace_location(connection: Connection, call: ReplaceLocation, now: datetime) -> Image:
    """Let another location take the place of one of an image, and return the image."""
    before = records.find_locked(connection, call.image_id)
    if rows.lock_held(connection, call.job).is_cancelled:
        raise rows.gone(call.job)
    old = call.old
    if before is None or all((each.id, each.url) != (old.id, old.url) for each in before.locations):
        raise errors.Gone(kind="location of image", id=call.image_id)
    new = replace(call.location, id=None)
    places = tuple(new if each.id == old.id else each for each in before.locations)
    return records.store(connection, before, replace(before, locations=places, updated_at=now), now)


def _to_run(row: RowValues) -> Verification:
    job_id, began_at, ended_at, counts = row
    return Verification(job_id, began_at, ended_at, orjson.loads(counts))


QUERIES = {
    ListVerifications: list_runs,
    ListCopies: list_copies,
    CountCopies: count_copies,
    FindData: find_data,
    ListFindings: list_findings,
}
WRITES = {BeginVerification: begin, EndVerification: end, RecordFindings: record, ReplaceLocation: replace_location}
