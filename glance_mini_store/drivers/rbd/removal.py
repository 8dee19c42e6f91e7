"""Removes images: first the protection, which no clone may need, then the name, at last the data.

An image goes through the trash, so that its name is gone before its data is: see ``reading.Identity``. What cannot be
removed from there stays in the trash, where ``rbd trash`` shows it.
"""

import errno
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress

from glance_mini_store import errors
from glance_mini_store.drivers.rbd.answers import number_of
from glance_mini_store.drivers.rbd.draft import SNAPSHOT, is_written_here
from glance_mini_store.drivers.rbd.library import Image, Library, Pool

LOG = logging.getLogger(__name__)

_WATCH_SECONDS = 40.0
"""How long a killed writer may still count as one that has the image open; Ceph drops it after 30 seconds."""

_LONGEST_PAUSE = 4.0


_TRASH = "rbd_trash"
"""The object of a pool that lists its trash."""


class _OpenElsewhere(errors.InUseByStore):
    """A client of Ceph has the image open for writing, perhaps one that was killed a moment ago."""


class Removal:
    """Removes images of one pool; ``locate`` returns the location that errors name for an image."""

    def __init__(self, library: Library, pool: Pool, locate: Callable[[str], str]) -> None:
        self._library = library
        self._pool = pool
        self._locate = locate

    def make_trash(self) -> None:
        """Let the pool have a trash, which every removal needs: a full pool takes no new object, so no first trash.

        The first removal makes it for good.
        """
        try:
            self._pool.read(_TRASH, 1)
        except self._library.errors as error:
            if number_of(error) != errno.ENOENT:
                raise
            name = f"glance-mini-{uuid.uuid4()}"
            self._library.images.create(self._pool, name, 0)
            self._library.images.remove(self._pool, name)

    def delete(self, name: str, snapshot: str | None) -> None:
        """Remove the image with its snapshot (None: an image that never had one).

        Raises HasSnapshot if it has others, InUseByStore if it has clones or is open elsewhere: then it stays as it is.
        """
        with closing(self._library.open_image(self._pool, name)) as image:
            known = [each["name"] for each in image.list_snaps()]
            if snapshot is not None and snapshot not in known:
                raise errors.NotFound(location=self._locate(name))
            if set(known) - {snapshot}:
                raise errors.HasSnapshot(location=self._locate(name))
            if len(list(image.watchers_list())) > 1:
                raise _OpenElsewhere(location=self._locate(name))
            image_id = image.id()
            is_released = snapshot is not None and self._release(image, snapshot, name)
        if snapshot is None:
            self._library.images.remove(self._pool, name)
            return
        try:
            self._library.images.trash_move(self._pool, name)
        except self._library.errors:
            if is_released:
                self._protect_again(name, snapshot)
            raise
        self._remove_from_trash(image_id, name)

    def discard(self, name: str) -> None:
        """Remove what a write has left under ``name``, also from the trash; nothing of others.

        Waits until Ceph knows that a killed writer is gone. Raises InUseByStore if a writer is not.
        """
        deadline = time.monotonic() + _WATCH_SECONDS
        pause = 0.1
        while not self._try_to_discard(name, is_last=time.monotonic() >= deadline):
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        for entry in list(self._library.images.trash_list(self._pool)):
            if entry["name"] == name and self._is_own_trash(entry["id"], name):
                self._remove_from_trash(entry["id"], name)

    def remove_draft(self, name: str) -> None:
        """Remove the image that a writer has just closed; an error of Ceph if that cannot be done now."""
        self._try_to_discard(name, is_last=True)

    def _try_to_discard(self, name: str, *, is_last: bool) -> bool:
        """Return whether there is nothing to discard any more."""
        try:
            with closing(self._library.open_image(self._pool, name, read_only=True)) as image:
                if not is_written_here(image, name):
                    LOG.warning("rbd store: the image %s was written by others and is not discarded", name)
                    return True
                has_snapshot = any(each["name"] == SNAPSHOT for each in image.list_snaps())
            self.delete(name, SNAPSHOT if has_snapshot else None)
        except _OpenElsewhere:
            if is_last:
                raise
            return False
        except self._library.errors as error:
            number = number_of(error)
            if number == errno.ENOENT:
                self._remove_beginning(name)
                return True
            if number != errno.EBUSY or is_last:
                raise
            return False
        return True

    def _remove_beginning(self, name: str) -> None:
        """Remove an image of which only the name was made."""
        try:
            self._library.images.remove(self._pool, name)
        except self._library.errors as error:
            if number_of(error) != errno.ENOENT:
                raise

    def _is_own_trash(self, image_id: str, name: str) -> bool:
        try:
            with closing(self._library.open_image(self._pool, image_id=image_id, read_only=True)) as image:
                return is_written_here(image, name)
        except self._library.errors:
            return False

    def _release(self, image: Image, snapshot: str, name: str) -> bool:
        """Take the protection away if there is no clone; return whether there was a protection."""
        image.set_snap(snapshot)
        has_clones = self._has_clones(image)
        image.set_snap(None)
        if has_clones:
            raise errors.InUseByStore(location=self._locate(name))
        if not image.is_protected_snap(snapshot):
            return False
        image.unprotect_snap(snapshot)
        return True

    def _has_clones(self, image: Image) -> bool:
        """Return whether the snapshot has clones; they cannot be looked at in a pool that this user may not use."""
        try:
            return any(True for _ in image.list_children2())
        except self._library.errors as error:
            if number_of(error) != errno.EPERM:
                raise
            return True

    def _protect_again(self, name: str, snapshot: str) -> None:
        try:
            with closing(self._library.open_image(self._pool, name)) as image:
                image.protect_snap(snapshot)
        except self._library.errors as error:
            LOG.warning("rbd store: the snapshot of the image %s is no longer protected: %s", name, error)

    def _remove_from_trash(self, image_id: str, name: str) -> None:
        """Remove the data; where that fails the image stays in the trash, and is gone for readers all the same."""
        try:
            with closing(self._library.open_image(self._pool, image_id=image_id)) as image:
                for snapshot in [each["name"] for each in image.list_snaps()]:
                    with suppress(*self._library.errors):
                        image.unprotect_snap(snapshot)
                    image.remove_snap(snapshot)
            self._library.images.trash_remove(self._pool, image_id)
        except self._library.errors as error:
            LOG.warning("rbd store: the image %s (id %s) stays in the trash: %s", name, image_id, error)
