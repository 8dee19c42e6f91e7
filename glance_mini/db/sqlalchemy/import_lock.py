"""The import lock: the property of an image that names its running job (api-imports-progress, api-imports-lock).

``imports.begin`` takes the lock. This module reads it, and releases the lock of a job that ended without releasing it.
The caller locks the row of the image.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from glance_mini.db.sqlalchemy import staged_rows, usage
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.jobs import rows
from glance_mini.db.sqlalchemy.models import image_properties
from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY, TASK_PROPERTY
from glance_mini.domain.job import FINISHED, Job

_HOLDER = select(image_properties.c.value).where(
    image_properties.c.image_id == bindparam("image"), image_properties.c.name == TASK_PROPERTY
)


def lock_image_of(connection: Connection, job: Job) -> Image | None:
    """Return the image whose import lock ``job`` holds, with its row locked; None if the job holds no import lock.

    A job gets its import lock when it is inserted, or from the worker that runs it and also ends it. So None remains
    true for a job that no worker runs.
    """
    if job.image_id is None or connection.execute(_HOLDER, {"image": job.image_id}).scalar() != job.id:
        return None
    image = records.find_locked(connection, job.image_id)
    return image if image is not None and image.properties.get(TASK_PROPERTY) == job.id else None


def release_lock(connection: Connection, image: Image, now: datetime) -> Image:
    """Remove the import lock from ``image`` and return the image; unfinished stores count as failed.

    An ``importing`` image becomes ``queued`` and empty; an active image keeps its data.
    """
    properties = dict(image.properties)
    del properties[TASK_PROPERTY]
    failed = dict.fromkeys([*_names(image, FAILED_PROPERTY), *_names(image, IMPORTING_PROPERTY)])
    properties |= {IMPORTING_PROPERTY: "", FAILED_PROPERTY: ",".join(failed)}
    after = replace(image, properties=properties, updated_at=now)
    if image.status == "importing":
        after = replace(reset_data(after), locations=())
        usage.change(connection, staged_rows.discard(connection, image.id, now), usage.Usage())
    return records.store(connection, image, after, now)


def break_stale_lock(connection: Connection, image: Image, now: datetime) -> Image:
    """Return ``image`` without the lock of a job that ended while the image was in the trash."""
    holder = image.properties.get(TASK_PROPERTY)
    if holder is None:
        return image
    try:
        is_over = rows.get(connection, holder).state in FINISHED
    except errors.NotFound:
        is_over = True
    return release_lock(connection, image, now) if is_over else image


def reset_data(image: Image) -> Image:
    """Return ``image`` as queued, without sizes and hashes; the caller drops its locations."""
    return replace(
        image,
        status="queued",
        size=None,
        virtual_size=None,
        checksum=None,
        os_hash_algo=None,
        os_hash_value=None,
    )


def _names(image: Image, name: str) -> list[str]:
    return [store for store in (image.properties.get(name) or "").split(",") if store]
