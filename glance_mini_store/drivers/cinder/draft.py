"""Writes one image into a new volume, which its mark publishes when all is durable and the volume is detached."""

import logging
import time

from glance_mini_store import errors
from glance_mini_store.drivers.cinder.api import Cinder
from glance_mini_store.drivers.cinder.attaching import Attached, Attaching
from glance_mini_store.drivers.cinder.claim import require_claim
from glance_mini_store.drivers.cinder.devices import Device
from glance_mini_store.drivers.cinder.removal import remove
from glance_mini_store.drivers.cinder.volume import CLAIMED, GIB, READY, SIZE, STATE, Marks, gib_for
from glance_mini_store.lanes import Chunk

LOG = logging.getLogger(__name__)

_STEP = 4
"""A volume of unknown size grows by a quarter, a GiB at least: what is too much cannot be taken back."""

_SEEN_SECONDS = 30.0
"""How long a host may take to see that an attached volume has grown."""


class Draft:
    """A volume in the making: ``create``, ``append``, ``publish``; ``drop`` if one raises.

    ``grows_attached``: it stays attached while it is extended.
    """

    def __init__(
        self, cinder: Cinder, attaching: Attaching, marks: Marks, volume_type: str | None, *, grows_attached: bool
    ) -> None:
        self.received = 0
        self.volume_id: str | None = None
        self._cinder = cinder
        self._attaching = attaching
        self._marks = marks
        self._volume_type = volume_type
        self._grows_attached = grows_attached
        self._gib = 0
        self._attached: Attached | None = None

    @property
    def _id(self) -> str:
        assert self.volume_id is not None, "call create first"
        return self.volume_id

    @property
    def _location(self) -> str:
        return f"cinder://{self.volume_id or self._marks.volume_name}"

    def create(self, size: int) -> None:
        """Make and attach a volume for ``size`` bytes. Raises Duplicate, StorageFull."""
        self._gib = gib_for(size)
        volume = self._cinder.create(self._marks, self._gib, self._volume_type, self._location)
        self.volume_id = volume.id
        require_claim(self._cinder, self._marks, volume, self._location)
        self._cinder.available(self._id, self._location)
        self._cinder.set_metadata(self._id, {STATE: CLAIMED}, self._location)
        self._attach()

    def append(self, chunk: Chunk) -> None:
        """Write a chunk after the earlier ones; its memory may be used again when this returns."""
        data = bytes(chunk)
        end = self.received + len(data)
        if end > self._gib * GIB:
            self._extend(gib_for(end), self._gib + max(1, self._gib // _STEP))
        self._device.write(data, self.received)
        self.received = end

    def publish(self) -> None:
        """Make all durable, detach the volume and mark it as an image."""
        self._device.flush()
        self._detach()
        self._cinder.set_metadata(self._id, {SIZE: str(self.received), STATE: READY}, self._location)

    def drop(self) -> bool:
        """Remove the volume and return whether it is gone; where it is not, ``discard`` removes it later."""
        try:
            self._detach()
        except errors.StoreError as error:
            LOG.warning("cinder store: the unfinished volume %s is not detached: %s", self.volume_id, error)
        try:
            if self.volume_id is not None:
                remove(self._cinder, self._id, self._location)
        except errors.StoreError as error:
            LOG.warning("cinder store: the unfinished volume %s could not be removed now: %s", self.volume_id, error)
            return False
        return True

    @property
    def _device(self) -> Device:
        assert self._attached is not None, "the volume is attached"
        return self._attached.device

    def _attach(self) -> None:
        self._attached = self._attaching.attach(self._cinder, self._id, self._location, writing=True)

    def _detach(self) -> None:
        if self._attached is not None:
            attached, self._attached = self._attached, None
            attached.detach()

    def _extend(self, needed: int, wanted: int) -> None:
        """Extend the volume to ``wanted`` GiB if the quota allows it, but at least to those that are ``needed``."""
        is_detached = not self._grows_attached
        if is_detached:
            self._device.flush()
            self._detach()
        try:
            self._gib = self._extended(max(needed, wanted))
        except errors.StorageFull:
            if wanted <= needed:
                raise
            self._gib = self._extended(needed)
        if is_detached:
            self._attach()
        elif self._attached is not None:
            self._attached.grow()
            self._wait_for(self._gib * GIB)

    def _extended(self, gib: int) -> int:
        self._cinder.extend(self._id, gib, self._location)
        return gib

    def _wait_for(self, size: int) -> None:
        deadline = time.monotonic() + _SEEN_SECONDS
        while self._device.size() < size:
            if time.monotonic() >= deadline:
                raise errors.RemoteServiceUnavailable(reason="this host does not see that the volume has grown")
            time.sleep(0.1)
