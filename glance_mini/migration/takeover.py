"""Takes everything over from a Glance database: images, ids of deleted images, records of tasks, and namespaces.

Each page is one transaction here, so a run that was killed is simply begun again: what is there already is compared and
left alone.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.interface import DataAccess
from glance_mini.domain.migration import TakenOver
from glance_mini.migration import glance_metadefs, glance_rows
from glance_mini.migration.conversion import Conversion
from glance_mini.migration.remarks import Remark
from glance_mini.operations.base import DataCall
from glance_mini.operations.migration import BuryImages, TakeOverImages, TakeOverJobs, TakeOverNamespaces

KINDS = ("image", "deleted image", "task", "namespace")

Report = Callable[[int, int | None], None]
"""Takes how many rows were read, and how many there are."""


def take_over(
    source: Connection,
    data: DataAccess,
    conversion: Conversion,
    *,
    now: datetime,
    report: Report,
    is_rehearsal: bool = False,
) -> Mapping[str, Mapping[str, int]]:
    """Take over what ``source`` holds, and return for each kind how many were added, changed, unchanged and kept.

    Tasks that have expired ``now`` are left. ``is_rehearsal``: everything is read and compared, and nothing is written.
    Raises Unavailable, and Conflict if a second run is at work.
    """
    total = sum(glance_rows.count(source).values()) + glance_metadefs.count(source)
    read = 0
    done = {kind: dict.fromkeys(("added", "changed", "unchanged", "kept"), 0) for kind in KINDS}
    for kind, size, call in _calls(source, conversion, now, is_rehearsal=is_rehearsal):
        if call is not None:
            result = data.run(call)
            done[kind]["added"] += result.added
            done[kind]["changed"] += result.changed
            done[kind]["unchanged"] += result.unchanged
            done[kind]["kept"] += len(result.kept)
            for key in result.kept:
                conversion.add_remark(Remark(kind, key, "it was changed or deleted here later", is_left_out=True))
        read += size
        report(read, total)
    return done


def _calls(
    source: Connection, conversion: Conversion, now: datetime, *, is_rehearsal: bool
) -> Iterator[tuple[str, int, DataCall[TakenOver] | None]]:
    """Yield the kind and the number of rows of each page, and the call that stores it; None for nothing to store."""
    for page in glance_rows.read_images(source):
        records = tuple(record for image in page if (record := conversion.image(image)) is not None)
        yield "image", len(page), TakeOverImages(records, is_rehearsal) if records else None
    for rows in glance_rows.read_deleted(source):
        buried = tuple(one for row in rows if (one := conversion.buried(row)) is not None)
        yield "deleted image", len(rows), BuryImages(buried, is_rehearsal) if buried else None
    for rows in glance_rows.read_tasks(source):
        jobs = tuple(job for row in rows if (job := conversion.job(row, now)) is not None)
        yield "task", len(rows), TakeOverJobs(jobs, is_rehearsal) if jobs else None
    types = glance_metadefs.read_types(source)
    for size, namespaces in glance_metadefs.read_namespaces(source, conversion.add_remark):
        yield "namespace", size, TakeOverNamespaces(namespaces, types, is_rehearsal)
