"""Removes volumes: images, and what writes have left."""

import time

from glance_mini_store import errors
from glance_mini_store.drivers.cinder import holder
from glance_mini_store.drivers.cinder.api import Cinder, Refused
from glance_mini_store.drivers.cinder.attaching import LINGER, detach_ended
from glance_mini_store.drivers.cinder.volume import Volume

_HELD_SECONDS = 60.0
"""How long a backend may believe that a killed process has the volume open; Ceph does for 30 seconds."""

_PAUSE = 3.0


def remove_image(cinder: Cinder, volume: Volume, location: str) -> None:
    """Remove a volume that nobody uses. Raises InUseByStore if somebody has it attached, HasSnapshot.

    Waits a moment for processes of this service, which may have read it just now.
    """
    if detach_ended(cinder, volume, location):
        volume = cinder.settled(volume.id, location)
    deadline = time.monotonic() + 2 * LINGER
    while _is_read(volume) and time.monotonic() < deadline:
        time.sleep(LINGER / 4)
        volume = cinder.settled(volume.id, location)
    if volume.holders:
        raise errors.InUseByStore(location=location)
    if cinder.has_snapshots(volume.id, location):
        raise errors.HasSnapshot(location=location)
    try:
        cinder.delete(volume.id, location)
    except Refused as error:
        raise errors.InUseByStore(location=location) from error


def remove(cinder: Cinder, volume_id: str, location: str) -> None:
    """Remove a volume that was not published, whoever has it attached; one that is gone already is no error.

    Waits until the backend knows that a killed writer is gone. Raises InUseByStore if it does not learn it.
    """
    deadline = time.monotonic() + _HELD_SECONDS
    while True:
        try:
            for attachment in cinder.attachment_ids(volume_id, location):
                cinder.detach(attachment, location)
            cinder.settled(volume_id, location)
            cinder.delete(volume_id, location)
            return
        except errors.NotFound:
            return
        except errors.InUseByStore:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)


def _is_read(volume: Volume) -> bool:
    """Return whether processes of this service have the volume attached, and nobody else."""
    return bool(volume.holders) and all(holder.is_mark(device) for device in volume.holders.values())
