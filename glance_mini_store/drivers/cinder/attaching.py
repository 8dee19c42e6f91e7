"""Attaches volumes to this host, and detaches them, also for processes that were killed.

The readers of one process share an attachment of their volume.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from glance_mini_store import errors
from glance_mini_store.drivers.cinder import holder
from glance_mini_store.drivers.cinder.api import Attachment, Cinder, Refused
from glance_mini_store.drivers.cinder.connecting import Connection, Host
from glance_mini_store.drivers.cinder.devices import Device
from glance_mini_store.drivers.cinder.volume import Volume

LOG = logging.getLogger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0

LINGER = 3.0
"""Seconds for which a volume that was read stays attached: to attach it takes a second, and ranges come in a row."""


class Attached:
    """A volume that is attached to this host, and connected."""

    def __init__(self, cinder: Cinder, volume_id: str, location: str, attachment: Attachment, made: Connection) -> None:
        self._cinder = cinder
        self._volume_id = volume_id
        self._location = location
        self._attachment = attachment
        self._connection: Connection | None = made
        self.device: Device = made.device

    def grow(self) -> None:
        """Let the host see the new size of the volume. Raises RemoteServiceUnavailable."""
        if self._connection is not None:
            self._connection.grow()

    def detach(self) -> None:
        """Close the device and detach; further calls do nothing. Raises StoreError if data may be lost."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        try:
            connection.device.close()
            if not (connection.is_shared and self._is_used_by_others()):
                connection.disconnect()
        finally:
            self._cinder.detach(self._attachment.id, self._location)

    def _is_used_by_others(self) -> bool:
        """Return whether another process of this host has the volume."""
        volume = self._cinder.find(self._volume_id, self._location)
        others = (device for each, device in volume.holders.items() if each != self._attachment.id)
        return any(holder.is_on_this_host(device) and not holder.has_ended(device) for device in others)


@dataclass(frozen=True)
class Attaching:
    """Attaches volumes to ``host``, ``attempts`` times at most while others have them."""

    host: Host
    attempts: int

    def attach(self, cinder: Cinder, volume_id: str, location: str, *, writing: bool) -> Attached:
        """Attach and connect a volume. Raises NotFound, RemoteServiceUnavailable, Forbidden."""
        attachment = self._attach(cinder, volume_id, location, "rw" if writing else "ro")
        connection: Connection | None = None
        try:
            connection = self.host.connect(attachment.info, writing=writing)
            attached = Attached(cinder, volume_id, location, attachment, connection)
            cinder.complete(attachment.id, location)
        except BaseException:
            with suppress(errors.StoreError):
                if connection is not None:
                    connection.device.close()
                    connection.disconnect()
            with suppress(errors.StoreError):
                cinder.detach(attachment.id, location)
            raise
        return attached

    def _attach(self, cinder: Cinder, volume_id: str, location: str, mode: str) -> Attachment:
        connector = self.host.properties()
        pause = _FIRST_PAUSE
        for attempt in range(1, self.attempts + 1):
            try:
                return cinder.attach(volume_id, {**connector, "mode": mode}, mode, location)
            except Refused as error:
                volume = cinder.find(volume_id, location)
                if volume.status in ("deleting", "error_deleting"):
                    raise errors.NotFound(location=location) from error
                if attempt == self.attempts:
                    raise
                if not detach_ended(cinder, volume, location):
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("there is one attempt at least")


def detach_ended(cinder: Cinder, volume: Volume, location: str) -> bool:
    """End the attachments of processes of this host that have ended; return whether there were any."""
    ended = [each for each, device in volume.holders.items() if holder.has_ended(device)]
    for each in ended:
        LOG.warning("cinder store: the volume %s was attached by a process that has ended", volume.id)
        cinder.detach(each, location)
    return bool(ended)


@dataclass
class _Shared:
    attached: Attached | None = None
    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    timer: threading.Timer | None = None


class SharedReads:
    """The volumes that this process has attached for reading, and for LINGER seconds after that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[tuple[int, str], _Shared] = {}
        self._is_closed = False

    def enter(self, volume_id: str, attach: Callable[[], Attached]) -> Attached:
        """Return the volume that is attached, or that ``attach`` attaches; call ``leave`` once for it."""
        key = (os.getpid(), volume_id)
        with self._lock:
            shared = self._shared.setdefault(key, _Shared())
            shared.users += 1
        try:
            with shared.lock:
                if shared.attached is None:
                    shared.attached = attach()
                return shared.attached
        except BaseException:
            self._leave(key, shared)
            raise

    def leave(self, volume_id: str) -> None:
        """Let the volume be detached if this was its last reader."""
        key = (os.getpid(), volume_id)
        with self._lock:
            shared = self._shared.get(key)
        # A child of the process that attached the volume has nothing to detach.
        if shared is not None:
            self._leave(key, shared)

    def release(self, volume_id: str) -> None:
        """Detach the volume now if nobody reads it."""
        key = (os.getpid(), volume_id)
        with self._lock:
            shared = self._shared.get(key)
        if shared is not None:
            self._detach_unused(key, shared)

    def close(self) -> None:
        """Detach what nobody reads; readers detach at their end from now on."""
        with self._lock:
            self._is_closed = True
            mine = [volume_id for process, volume_id in self._shared if process == os.getpid()]
        for volume_id in mine:
            self.release(volume_id)

    def _leave(self, key: tuple[int, str], shared: _Shared) -> None:
        with self._lock:
            shared.users -= 1
            is_over = self._is_closed or shared.attached is None
            if not shared.users and not is_over:
                if shared.timer is not None:
                    shared.timer.cancel()
                shared.timer = threading.Timer(LINGER, self._detach_unused, (key, shared))
                shared.timer.daemon = True
                shared.timer.start()
        if is_over:
            self._detach_unused(key, shared)

    def _detach_unused(self, key: tuple[int, str], shared: _Shared) -> None:
        with shared.lock:
            with self._lock:
                if shared.users:
                    return
                attached, shared.attached = shared.attached, None
            if attached is not None:
                try:
                    attached.detach()
                except errors.StoreError as error:
                    LOG.warning("cinder store: the volume %s is not detached: %s", key[1], error)
        with self._lock:
            # Who came meanwhile attaches it again.
            if not shared.users and shared.attached is None and self._shared.get(key) is shared:
                del self._shared[key]
