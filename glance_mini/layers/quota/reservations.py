"""Reserves room in a quota for data of unknown size while it is uploaded."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from glance_mini.domain.context import Context
from glance_mini.domain.errors import LimitExceeded
from glance_mini.domain.quota import Limits
from glance_mini.layers.base import Handler
from glance_mini.operations.data import UploadData
from glance_mini.operations.imports import StageData
from glance_mini.operations.records import IsYoungestTransfer, ReserveSpace
from glance_mini_store.lanes import Chunk

Incoming = UploadData | StageData

SCARCE_STEPS = 16
"""Below this many steps of free room, an upload of unknown size reserves only what it is about to write."""

_RETRY_SECONDS = 0.1
_MAX_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Headroom:
    """The limit of one resource, in bytes, and the resources that count under it too."""

    resource: str
    limit: int
    others: tuple[str, ...] = ()

    def less(self, amount: int) -> "Headroom":
        """Return the limit lowered by ``amount`` bytes."""
        return Headroom(self.resource, self.limit - amount, self.others)


class Reservations:
    """Reserves room for the layer that passes its ``below``: ``step`` bytes at a time while there is plenty of room."""

    def __init__(self, below: Handler, step: int, sleep: Callable[[float], None]) -> None:
        self._below = below
        self._step = step
        self._sleep = sleep

    def reserving(self, context: Context, op: Incoming, chunks: Iterable[Chunk], resource: str) -> Iterator[Chunk]:
        """Yield each of ``chunks`` when room for it is reserved: in steps, or block by block if room is scarce.

        Raises LimitExceeded.
        """
        reserved = written = 0
        for chunk in chunks:
            written += len(chunk)
            if written > reserved:
                reserved += self._reserve(context, op, resource, reserved, written - reserved)
            yield chunk

    def _reserve(self, context: Context, op: Incoming, resource: str, reserved: int, needed: int) -> int:
        """Return the number of bytes that were reserved in addition to ``reserved``, at least ``needed``.

        If there is no room, the youngest upload of the project fails and older ones wait for its room, so that as many
        of several uploads finish as there is room for.
        """
        step, limits = max(needed, self._step), op.limits
        room = Headroom(resource, limits.project[resource], limits.together.get(resource, ()))
        if step > needed and self._take(context, op, step, room.less(SCARCE_STEPS * self._step)):
            return step
        waited = 0.0
        while not self._take(context, op, needed, room):
            if waited >= _MAX_WAIT_SECONDS or self._below(context, IsYoungestTransfer(str(op.transfer_id))):
                self._give_way(context, op, reserved, needed, room)
                break
            self._sleep(_RETRY_SECONDS)
            waited += _RETRY_SECONDS
        return needed

    def _give_way(self, context: Context, op: Incoming, reserved: int, needed: int, room: Headroom) -> None:
        """Free the ``reserved`` bytes, then try once more to reserve all of them; raises LimitExceeded.

        An upload that gives up holds nothing during its last try. If two held their room while they tried, each would
        fail because of the other, although one of them fits.
        """
        if reserved:
            self._take(context, op, -reserved, room)
        if not self._take(context, op, reserved + needed, room):
            raise LimitExceeded(resource=room.resource, limit=room.limit, wanted=f"{needed} bytes more")

    def _take(self, context: Context, op: Incoming, amount: int, room: Headroom) -> bool:
        assert op.transfer_id is not None
        limits = Limits(project={room.resource: room.limit}, together={room.resource: room.others})
        try:
            self._below(context, ReserveSpace(op.transfer_id, amount, limits))
        except LimitExceeded:
            return False
        return True
