"""The import lock: the property of an image that names the job at work on it (api-imports-progress, api-imports-lock).

Taking it is a part of ``imports.begin``. Here it is looked at, and taken away from a job that ended without giving it
back. The row of the image is locked by the caller.
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
    """Return the image whose import lock ``job`` holds, its row locked; None where it holds none.

    A job gets its import lock when it is inserted, or from the worker that runs it and ends it too; so None stays true
    for a job that nobody runs.
    """
    if job.image_id is None or connection.execute(_HOLDER, {"image": job.image_id}).scalar() != job.id:
        return None
    image = records.find_locked(connection, job.image_id)
    return image if image is not None and image.properties.get(TASK_PROPERTY) == job.id else None


def release_lock(connection: Connection, image: Image, now: datetime) -> Image:
    """Take the import lock off ``image`` and return it: what was not imported has failed.

    An image that was ``importing`` is ``queued`` and empty again; one that was active keeps what it has.
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
    """Return ``image`` without the lock of a job that has ended while nobody could see the image."""
    holder = image.properties.get(TASK_PROPERTY)
    if holder is None:
        return image
    try:
        is_over = rows.get(connection, holder).state in FINISHED
    except errors.NotFound:
        is_over = True
    return release_lock(connection, image, now) if is_over else image


def reset_data(image: Image) -> Image:
    """Return ``image`` as queued, with nothing known of data; its locations stay for the caller to drop."""
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
    return [store for store in image.properties.get(name, "").split(",") if store]
