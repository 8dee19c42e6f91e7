"""The hashes of the blocks of disks, a part in each row (api-incremental-blocks).

The rows of an image are complete from the first part on, so their number says how far the job has got.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select

from glance_mini.db.sqlalchemy.images import records
from glance_mini.db.sqlalchemy.jobs import rows
from glance_mini.db.sqlalchemy.models import block_hashes, jobs
from glance_mini.domain.blocks import KnownHashes
from glance_mini.domain.job import FINISHED
from glance_mini.operations.blocks import BeginBlockHashes, GetBlockHashes, SaveBlockHashes
from glance_mini.operations.jobs import AddJob

_OF_IMAGE = block_hashes.c.image_id == bindparam("image")
_COUNT = select(func.count()).select_from(block_hashes).where(_OF_IMAGE)
_PARTS = (
    select(block_hashes.c.hashes)
    .where(_OF_IMAGE, block_hashes.c.part >= bindparam("first"))
    .order_by(block_hashes.c.part)
    .limit(bindparam("rows"))
)
_INSERT = insert(block_hashes)
_DELETE = delete(block_hashes).where(_OF_IMAGE)
_IS_RUNNING = select(
    exists().where(
        jobs.c.image_id == bindparam("image"), jobs.c.kind == bindparam("kind"), jobs.c.state.not_in(sorted(FINISHED))
    )
)


def get(connection: Connection, call: GetBlockHashes) -> KnownHashes:
    """Return how many parts there are, and some of them."""
    count = connection.execute(_COUNT, {"image": call.image_id}).scalar_one()
    if not call.max_parts:
        return KnownHashes(count)
    values = {"image": call.image_id, "first": call.first, "rows": call.max_parts}
    return KnownHashes(count, tuple(map(bytes, connection.execute(_PARTS, values).scalars())))


def save(connection: Connection, call: SaveBlockHashes, now: datetime) -> bool:
    """Insert the next part and return True; False if the image is gone or another part is the next one."""
    if records.find_locked(connection, call.image_id) is None:
        return False
    if connection.execute(_COUNT, {"image": call.image_id}).scalar_one() != call.part:
        return False
    connection.execute(_INSERT, {"image_id": call.image_id, "part": call.part, "hashes": call.hashes})
    return True


def begin(connection: Connection, call: BeginBlockHashes, now: datetime) -> bool:
    """Insert the job unless the image has one of its kind that has not ended; return whether it was inserted."""
    assert call.job.image_id is not None
    records.lock(connection, call.job.image_id)
    if connection.execute(_IS_RUNNING, {"image": call.job.image_id, "kind": call.job.kind}).scalar():
        return False
    rows.add(connection, AddJob(call.job), now)
    return True


def forget(connection: Connection, image_id: str) -> None:
    """Remove the hashes of an image whose data is replaced."""
    connection.execute(_DELETE, {"image": image_id})


QUERIES = {GetBlockHashes: get}
WRITES = {SaveBlockHashes: save, BeginBlockHashes: begin}
