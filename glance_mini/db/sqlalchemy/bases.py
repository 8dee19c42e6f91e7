"""Incremental images: chains of bases, what is known of their complete disks, and new data of an active image."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy import base_rows, blocks, imports
from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.jobs import rows
from glance_mini.domain import errors
from glance_mini.domain.bases import BASE_PROPERTY
from glance_mini.domain.image import Image
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.operations.bases import (
    GetDiskIndex,
    ListDependents,
    LoadChain,
    RecordDiskHashes,
    ReplaceData,
    SaveDiskIndex,
)
from glance_mini.operations.jobs import AddJob
from glance_mini.operations.records import LoadImage


def load_chain(connection: Connection, call: LoadChain) -> tuple[Image, ...]:
    """Return an image and its bases; raises NotFound if one of them cannot be seen."""
    chain = [records.load(connection, LoadImage(call.image_id, call.scope))]
    while (base := chain[-1].base) is not None:
        try:
            chain.append(records.load(connection, LoadImage(base, call.scope)))
        except errors.NotFound as error:
            raise errors.NotFound(kind="base of image", id=call.image_id) from error
    return tuple(chain)


def get_index(connection: Connection, call: GetDiskIndex) -> bytes:
    """Return the index of the complete disk, empty if there is none."""
    return base_rows.index_of(connection, call.image_id)


def list_dependents(connection: Connection, call: ListDependents) -> tuple[str, ...]:
    """Return images that are based on the image itself."""
    return base_rows.dependents(connection, call.image_id, call.max_rows, call.after)


def record_hashes(connection: Connection, call: RecordDiskHashes, now: datetime) -> bool:
    """Set the hashes unless the data was replaced, and return whether they were set."""
    before = _with_delta(connection, call.image_id, call.url)
    if before is None or before.size != call.size:
        return False
    after = replace(
        before,
        checksum=call.checksum,
        os_hash_algo=call.os_hash_algo,
        os_hash_value=call.os_hash_value,
        updated_at=now,
    )
    records.store(connection, before, after, now)
    return True


def save_index(connection: Connection, call: SaveDiskIndex, now: datetime) -> bool:
    """Keep the index unless it is of other files, and return whether it is kept."""
    if _with_delta(connection, call.image_id, call.url) is None:
        return False
    return base_rows.save_index(connection, call.image_id, call.depth, call.index)


def _with_delta(connection: Connection, image_id: str, url: str) -> Image | None:
    """Return an image, locked, if its delta is at ``url``; else None."""
    image = records.find_locked(connection, image_id)
    if image is None or image.base is None or all(location.url != url for location in image.locations):
        return None
    return image


def replace_data(connection: Connection, call: ReplaceData, now: datetime) -> Image:
    """Let other data take the place of that of an active image and return the image; may be repeated."""
    before, held = imports.lock_image_of(connection, call.job)
    if held.is_cancelled:
        raise rows.gone(call.job)
    data = call.data
    if [location.url for location in before.locations] == [data.location.url]:
        return before
    if before.status != "active":
        raise errors.StatusConflict(id=before.id, status=before.status, wanted="active")
    imports.check_place(connection, before, data)
    _change_link(connection, before, call)
    properties = {name: value for name, value in before.properties.items() if name != TASK_PROPERTY}
    if before.base is not None:
        properties.pop(BASE_PROPERTY, None)
    if (delta := data.location.delta) is not None:
        properties[BASE_PROPERTY] = delta.base
    after = replace(
        before,
        properties=properties,
        locations=(data.location,),
        size=data.size,
        virtual_size=data.virtual_size,
        checksum=data.checksum,
        os_hash_algo=data.os_hash_algo,
        os_hash_value=data.os_hash_value,
        disk_format=data.disk_format or before.disk_format,
        updated_at=now,
    )
    for job in call.jobs:
        rows.add(connection, AddJob(job), now)
    return records.store(connection, before, after, now, call.limits)


def _change_link(connection: Connection, image: Image, call: ReplaceData) -> None:
    """Give ``image`` the link of its new data, and note what is different for the images that are based on it."""
    above = base_rows.cluster_sizes_above(connection, image.id)
    keeps = call.keeps_clusters
    if above and (keeps is None or min(above.values()) < keeps):
        reason = f"Image {image.id} is the base of other images, whose complete disks would change."
        raise base_rows.conflict(reason, sorted(above))
    depth = base_rows.depth_of(connection, image.id)
    base_rows.remove(connection, image.id)
    blocks.forget(connection, image.id)
    delta, link = call.data.location.delta, call.data.link
    if delta is not None and link is not None:
        base_rows.add(connection, image, delta, link)
    base_rows.change_below(connection, above, depth - base_rows.depth_of(connection, image.id))


QUERIES = {LoadChain: load_chain, GetDiskIndex: get_index, ListDependents: list_dependents}
WRITES = {RecordDiskHashes: record_hashes, SaveDiskIndex: save_index, ReplaceData: replace_data}
