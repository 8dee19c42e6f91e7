"""Keeps a name for one write: Cinder lets any number of volumes have the same name.

A write makes its volume, looks for others of the name, and claims the name when it sees none that goes before. Of two
writes that begin at once, one at least sees the other: each made its volume before it looked. Then the one whose volume
has the lower id goes on, unless the other has claimed the name already. What was claimed or published is not taken.
"""

import time

from glance_mini_store import errors
from glance_mini_store.drivers.cinder.api import Cinder
from glance_mini_store.drivers.cinder.volume import NEW, STATE, WRITE, Marks, Volume

_PATIENCE = 30.0
"""Seconds for another write to claim the name or to end; one that was killed does neither."""

_PAUSE = 0.3


def require_claim(cinder: Cinder, marks: Marks, mine: Volume, location: str) -> None:
    """Return when no other write can get the name before this one; raise Duplicate if one has it, or may get it."""
    deadline = time.monotonic() + _PATIENCE
    while others := _others(cinder, marks, mine, location):
        is_taken = any(other.metadata.get(STATE) != NEW or other.id < mine.id for other in others)
        if is_taken or time.monotonic() >= deadline:
            raise errors.Duplicate(location=location)
        time.sleep(_PAUSE)


def _others(cinder: Cinder, marks: Marks, mine: Volume, location: str) -> list[Volume]:
    return [
        volume
        for volume in cinder.named(marks.name, location)
        if volume.is_written_as(marks.name, marks.store_id)
        and volume.id != mine.id
        and volume.metadata.get(WRITE) != marks.write
        and volume.status not in ("deleting", "error_deleting")
    ]
