"""A disk that a write fills under a temporary name, and how it becomes the disk of an image in one step.

Sheepdog cannot rename, but a clone of a snapshot shares its data and appears at once: the draft gets a snapshot, the
clone of it gets the name of the image, and draft and snapshot go. The clone keeps the data.
"""

import logging
import re
import secrets
from contextlib import suppress

from glance_mini_store import errors
from glance_mini_store.drivers.sheepdog.cluster import Cluster, refuse
from glance_mini_store.drivers.sheepdog.process import DogFailed, DogProcess
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import BLOCK

LOG = logging.getLogger(__name__)

_TAG = "complete"
_REMOVED = "the unfinished data was removed"
_DRAFT = re.compile(r"\.([A-Za-z0-9_-]{1,200})\.[0-9a-f]{16}\.part")


def name_of_draft(disk: str) -> str | None:
    """Return the name of the image that the disk is a draft of, None if it is no draft."""
    found = _DRAFT.fullmatch(disk)
    return found[1] if found else None


def remove_drafts(cluster: Cluster, name: str) -> None:
    """Delete what writes under ``name`` have left; no error if there is nothing."""
    for disk in sorted({vdi.name for vdi in cluster.vdis() if name_of_draft(vdi.name) == name}):
        _remove(cluster, disk)


class Draft:
    """A new disk for the image ``name``; data is appended in calls of at most ``piece`` bytes.

    ``size`` is the announced size in bytes, None if it is unknown: then the disk grows as data comes, and small chunks
    are collected up to 1 MiB.
    """

    def __init__(self, cluster: Cluster, name: str, size: int | None, piece: int) -> None:
        """Raises StorageFull, RemoteServiceUnavailable."""
        self.disk = f".{name}.{secrets.token_hex(8)}.part"
        self.size = 0
        self._cluster = cluster
        self._piece = piece
        self._room = size or 0
        self._waiting: bytearray | None = bytearray() if size is None else None
        self._left = 0
        self._process: DogProcess | None = None
        cluster.create(self.disk, self._room)

    def write(self, chunk: Chunk) -> None:
        """Append ``chunk``. Raises StorageFull, StorageWriteDenied if the draft was removed."""
        data = memoryview(chunk).cast("B")
        if self._waiting is not None:
            if len(self._waiting) + len(data) < BLOCK:
                self._waiting += data
                return
            self._flush()
        self._send(data)

    def _flush(self) -> None:
        if self._waiting:
            self._send(memoryview(self._waiting))
            self._waiting = bytearray()

    def _send(self, rest: memoryview) -> None:
        try:
            while rest:
                if self._process is None:
                    self._begin(len(rest))
                part = rest[: self._left]
                assert self._process is not None
                self._process.write(part)
                rest = rest[len(part) :]
                self.size += len(part)
                self._left -= len(part)
                if not self._left:
                    self._end()
        except DogFailed as failure:
            self._refuse(failure)
        except errors.NotFound as error:
            raise errors.StorageWriteDenied(reason=_REMOVED) from error

    def publish(self, name: str) -> None:
        """Make the data the disk ``name`` in one step, if all announced bytes came, and remove the draft.

        Raises Duplicate, SizeMismatch, StorageWriteDenied if the draft was removed meanwhile.
        """
        self._flush()
        if self.size != self._room:
            raise errors.SizeMismatch(expected=self._room, received=self.size)
        try:
            self._cluster.snapshot(self.disk, _TAG)
            self._cluster.clone(self.disk, _TAG, name)
        except errors.NotFound as error:
            raise errors.StorageWriteDenied(reason=_REMOVED) from error
        try:
            _remove(self._cluster, self.disk)
        except errors.StoreError as error:
            LOG.warning("Sheepdog disk %s could not be removed and is not needed any more: %s", self.disk, error)

    def remove(self) -> bool:
        """End the running program, delete the draft and return whether it is gone; a failure is logged."""
        if self._process is not None:
            self._process.kill()
        try:
            _remove(self._cluster, self.disk)
        except errors.StoreError as error:
            LOG.warning("Sheepdog disk %s of a failed write could not be removed: %s", self.disk, error)
            return False
        return True

    def _begin(self, wanted: int) -> None:
        if self.size == self._room:
            self._cluster.resize(self.disk, self.size + wanted)
            self._room = self.size + wanted
        self._left = min(self._piece, self._room - self.size)
        self._process = self._cluster.writing(self.disk, self.size, self._left)

    def _end(self) -> None:
        assert self._process is not None
        self._process.finish()
        self._process = None

    def _refuse(self, failure: DogFailed) -> None:
        try:
            refuse(failure, f"sheepdog://{self.disk}")
        except errors.NotFound as error:
            raise errors.StorageWriteDenied(reason=_REMOVED) from error


def _remove(cluster: Cluster, disk: str) -> None:
    """Delete a draft with its snapshot; raises RemoteServiceUnavailable if it is still there afterwards."""
    for vdi in list(cluster.vdis(disk)):
        with suppress(errors.NotFound):
            cluster.delete(disk, _TAG if vdi.is_snapshot else None)
    if any(cluster.vdis(disk)):
        raise errors.RemoteServiceUnavailable(reason=f"dog did not delete the disk {disk}")
