"""Imports: an image and its job change together in one transaction (api-imports).

The image is locked before the job. A job that its worker has lost changes nothing any more. A cancelled job may only
undo its changes: it neither adds data nor makes its image active.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy import import_lock, removals, staged_rows, usage
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.jobs import ends, rows
from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.imports import TASK_PROPERTY, ImportBegun
from glance_mini.domain.job import FINISHED, PENDING, Job
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, Limits
from glance_mini.domain.status import WITHOUT_DATA, check_required, check_transition
from glance_mini.domain.transfer import StoredData
from glance_mini.operations.jobs import AddJob
from glance_mini.operations.records import BeginImport, EndImport, ListRemovals, RecordImport

LONGEST_WAIT = timedelta(minutes=120)
"""How long a job that no worker takes keeps its lock (api-imports-lock)."""

LONGEST_SILENCE = timedelta(minutes=60)
"""How long a job whose lease has expired keeps its lock, so that another worker can take it over (api-imports-lock)."""

_BROKEN = "The import was aborted: it made no progress and another one has begun."

_FORMATS = ("disk_format", "container_format")

_HASHES = ("checksum", "os_hash_algo", "os_hash_value")


def begin(connection: Connection, call: BeginImport, now: datetime) -> ImportBegun:
    """Take the import lock for the job, insert the job, move the image to its new status and return both.

    If data was staged on a node's own disk, the job is bound to that node. The job counts as an upload of the image's
    owner, unless the staged data already does. A job that a worker holds is not inserted but gets the image. A dead job
    that holds the lock fails. Raises Conflict if a live job holds the lock or a format is missing, StatusConflict,
    NotFound, LimitExceeded; Gone if the job was lost or cancelled.
    """
    job = call.job
    assert job.image_id is not None
    locked = records.lock(connection, job.image_id)
    before, broken = _break_dead_lock(connection, locked, now, now + call.keep)
    if before.status != call.expect:
        raise errors.StatusConflict(id=before.id, status=before.status, wanted=call.expect)
    _check_formats(before)
    if before.status in WITHOUT_DATA:
        check_required(before, call.limits.required)
    after = replace(before, status=call.status, properties={**before.properties, **call.properties}, updated_at=now)
    source = staged_rows.get(connection, before.id)
    project = None if source else before.owner
    counted = None
    if job.process is None:
        job = replace(job, node_url=source.node_url if source else None)
        job = rows.add(connection, AddJob(job), now, counted_for=project)
    else:
        counted = rows.set_image(connection, job, counted_for=project)
    stored = records.store(connection, before, after, now)
    old, new = (usage.Usage({(each, IMAGE_COUNT_UPLOADING): 1}) for each in (counted, project))
    usage.change(connection, old, new, call.limits)
    return ImportBegun(stored, job, broken)


def record(connection: Connection, call: RecordImport, now: datetime) -> Image:
    """Add the location, sizes and hashes of the data to the image of the job and return the image; may be repeated.

    Raises Conflict if a hash differs from that of the image, Unavailable while older data at the same URL waits for its
    deletion, LimitExceeded, Gone if the job was lost or cancelled or the image was deleted.
    """
    before, held = lock_image_of(connection, call.job)
    if held.is_cancelled:
        raise rows.gone(call.job)
    check_place(connection, before, call.data)
    after = _with_data(before, call.data)
    _check_locations(before, after, call.limits)
    after = _moved(before, after, call.status)
    after = replace(after, properties={**before.properties, **call.properties}, updated_at=now)
    return _store(connection, before, after, now, call.limits)


def _store(connection: Connection, before: Image, after: Image, now: datetime, limits: Limits) -> Image:
    """Store ``after`` and return it. Its staged data, which is removed next, does not count beside its stored data."""
    limit = limits.project.get(IMAGE_SIZE_TOTAL)
    own = _staged_size(connection, before.id) if IMAGE_STAGE_TOTAL in limits.together.get(IMAGE_SIZE_TOTAL, ()) else 0
    if limit is None or not own:
        return records.store(connection, before, after, now, limits)
    more = replace(limits, project={**limits.project, IMAGE_SIZE_TOTAL: limit + own})
    try:
        return records.store(connection, before, after, now, more)
    except errors.LimitExceeded as error:
        wanted = error.values["wanted"]
        assert isinstance(wanted, int)
        raise errors.LimitExceeded(resource=IMAGE_SIZE_TOTAL, limit=limit, wanted=wanted - own) from error


def _staged_size(connection: Connection, image_id: str) -> int:
    staged = staged_rows.get(connection, image_id)
    return 0 if staged is None else staged.size


def end(connection: Connection, call: EndImport, now: datetime) -> Image:
    """Set ``properties`` (None removes one) and ``status``, drop locations, and return the image.

    An image that becomes ``queued`` loses its sizes and hashes. Raises Gone if the job was lost or the image was
    deleted, and if the job was cancelled and the image should become active.
    """
    before, held = lock_image_of(connection, call.job)
    if held.is_cancelled and call.status == "active":
        raise rows.gone(call.job)
    merged = {**before.properties, **call.properties}
    after = replace(
        _moved(before, before, call.status),
        properties={name: value for name, value in merged.items() if value is not None},
        locations=tuple(each for each in before.locations if each.url not in call.drop_urls),
        updated_at=now,
    )
    return records.store(connection, before, after, now)


def _break_dead_lock(
    connection: Connection, image: Image, now: datetime, expires_at: datetime
) -> tuple[Image, tuple[Job, ...]]:
    """Return ``image`` without the lock of a dead job, and that job, now failed; raises Conflict for a live job."""
    holder = image.properties.get(TASK_PROPERTY)
    if holder is None:
        return image, ()
    broken: tuple[Job, ...] = ()
    try:
        job = rows.lock(connection, holder)
    except errors.NotFound:
        return import_lock.release_lock(connection, image, now), broken
    if job.state not in FINISHED:
        if _is_alive(job, now):
            raise errors.Conflict(reason=f"Image {image.id} is being imported by task {job.id}.")
        broken = (ends.fail(connection, job, _BROKEN, now, expires_at),)
    return import_lock.release_lock(connection, image, now), broken


def _is_alive(job: Job, now: datetime) -> bool:
    assert job.updated_at is not None
    silence = now - job.updated_at
    if job.state == PENDING:
        return silence <= LONGEST_WAIT
    return silence <= LONGEST_SILENCE or (job.lease_until is not None and job.lease_until >= now)


def _check_formats(image: Image) -> None:
    missing = [name for name in ("container_format", "disk_format") if getattr(image, name) is None]
    if missing:
        raise errors.Conflict(reason=f"Property {' and '.join(missing)} must be set before an import.")


def lock_image_of(connection: Connection, job: Job) -> tuple[Image, Job]:
    """Return the image and the job, both locked; raises Gone if ``job`` has lost its holder, its image or its lock."""
    assert job.image_id is not None
    image = records.find_locked(connection, job.image_id)
    held = rows.lock_held(connection, job)
    if image is None:
        raise errors.Gone(kind="image", id=job.image_id)
    if image.properties.get(TASK_PROPERTY, job.id) != job.id:
        raise rows.gone(job)
    return image, held


def check_place(connection: Connection, image: Image, data: StoredData) -> None:
    """Raise Unavailable while older data of the image at the same URL waits for its deletion."""
    # A process that deletes the older data may not have reached it yet and would delete the new data instead.
    if any(pending.url == data.location.url for pending in removals.of_image(connection, ListRemovals(image.id))):
        raise errors.Unavailable(reason=f"Older data of image {image.id} is being deleted at the same URL.")


def _with_data(image: Image, data: StoredData) -> Image:
    known = {name: getattr(image, name) for name in _HASHES}
    found = {name: getattr(data, name) for name in _HASHES}
    if known["os_hash_algo"] not in (None, found["os_hash_algo"]):
        # Values of two algorithms cannot be compared; the image keeps its own.
        found["os_hash_algo"] = found["os_hash_value"] = None
    for name, value in found.items():
        if None not in (known[name], value) and known[name] != value:
            raise errors.Conflict(reason=f"{name} of the data differs from that of image {image.id}.")
    merged = {name: known[name] if known[name] is not None else found[name] for name in _HASHES}
    if image.locations and image.size != data.size:
        raise errors.Conflict(reason=f"size of the data differs from that of image {image.id}.")
    is_new = all(each.url != data.location.url for each in image.locations)
    virtual_size = image.virtual_size if data.virtual_size is None else data.virtual_size
    locations = (*image.locations, data.location) if is_new else image.locations
    for name in _FORMATS:
        if (given := getattr(data, name)) is not None:
            merged[name] = given
    return replace(image, size=data.size, virtual_size=virtual_size, locations=locations, **merged)


def _check_locations(before: Image, after: Image, limits: Limits) -> None:
    wanted = len(after.locations)
    if limits.locations is not None and wanted > limits.locations and wanted > len(before.locations):
        raise errors.LimitExceeded(resource="image_location_quota", limit=limits.locations, wanted=wanted)


def _moved(before: Image, after: Image, status: str | None) -> Image:
    """Return ``after`` in ``status`` (None: that of ``before``); raises StatusConflict if the move is not allowed."""
    if status in (None, before.status):
        return after
    assert status is not None
    check_transition(before, status)
    return import_lock.reset_data(after) if status == "queued" else replace(after, status=status)


WRITES = {BeginImport: begin, RecordImport: record, EndImport: end}
