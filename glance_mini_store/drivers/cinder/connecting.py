"""Connects volumes to this host by os-brick."""

import os
import shlex
import socket
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from glance_mini_store import errors
from glance_mini_store.drivers.cinder import holder
from glance_mini_store.drivers.cinder.devices import Device, PathDevice, RbdDevice, translated
from glance_mini_store.drivers.cinder.library import Connected, Connector, Libraries, RbdHandle

CACHE = 8 * 1024 * 1024
"""Bytes of a volume on Ceph that are being written."""


@dataclass(frozen=True)
class HostSettings:
    """How this host connects; ``root_helper`` None: nothing that needs root rights is done.

    ``keyring`` is the file with the Ceph key, None: that of the user in /etc/ceph; ``rbd_timeout`` in seconds.
    """

    root_helper: str | None
    use_multipath: bool
    enforce_multipath: bool
    mount_base: str
    keyring: str | None
    rbd_timeout: int

    @classmethod
    def from_settings(cls, settings: SimpleNamespace) -> "HostSettings":
        """Return what the options say."""
        return cls(
            root_helper=settings.cinder_root_helper,
            use_multipath=settings.cinder_use_multipath,
            enforce_multipath=settings.cinder_enforce_multipath,
            mount_base=settings.cinder_mount_point_base,
            keyring=settings.cinder_rbd_keyring,
            rbd_timeout=settings.cinder_rbd_op_timeout,
        )


@dataclass(frozen=True)
class Connection:
    """A connected volume: its device, and what os-brick needs to let go of it."""

    device: Device
    connector: Connector
    properties: Mapping[str, object]
    info: Connected
    libraries: Libraries

    @property
    def is_shared(self) -> bool:
        """Return whether other processes of this host that have the volume use the same device."""
        return isinstance(self.device, PathDevice)

    def disconnect(self) -> None:
        """Disconnect; raises RemoteServiceUnavailable."""
        with translated(self.libraries):
            self.connector.disconnect_volume(self.properties, self.info)

    def grow(self) -> None:
        """Let the host see the new size of the volume, which librbd does by itself."""
        if self.is_shared:
            with translated(self.libraries):
                self.connector.extend_volume(self.properties)


class Host:
    """This host as Cinder and os-brick see it; shared by threads."""

    def __init__(self, libraries: Libraries, settings: HostSettings) -> None:
        self._libraries = libraries
        self._settings = settings
        self._found: dict[str, object] | None = None

    def properties(self) -> dict[str, object]:
        """Return what Cinder needs to know to attach a volume. Raises RemoteServiceUnavailable."""
        if self._found is None:
            self._found = self._look()
        return {**self._found, "mountpoint": holder.mark()}

    def connect(self, info: Mapping[str, object], *, writing: bool) -> Connection:
        """Connect the volume that ``info`` of an attachment describes. Raises StoreError."""
        kind = str(info.get("driver_volume_type", ""))
        if info.get("encrypted"):
            raise errors.RemoteServiceUnavailable(reason="the volume type is an encrypted one")
        if info.get("format") not in (None, "raw"):
            raise errors.RemoteServiceUnavailable(reason=f"the volume is a file of the format {info['format']}")
        if kind != "rbd" and self._settings.root_helper is None:
            reason = f"a volume by {kind} needs root rights: set cinder_root_helper"
            raise errors.RemoteServiceUnavailable(reason=reason)
        properties = self._rbd_properties(info) if kind == "rbd" else dict(info)
        with translated(self._libraries):
            connector = self._connector(kind, properties)
            found = _in_a_thread(connector, properties)
        connection: Connection | None = None
        try:
            device = self._device(found["path"], writing=writing)
            connection = Connection(device, connector, properties, found, self._libraries)
        finally:
            if connection is None:
                with suppress(*self._libraries.connecting):
                    connector.disconnect_volume(properties, found)
        return connection

    def _look(self) -> dict[str, object]:
        settings = self._settings
        if settings.root_helper is None:
            return {"host": holder.host(), "ip": _address(), "multipath": False, "do_local_attach": False}
        self._libraries.privileges.init(root_helper=shlex.split(settings.root_helper))
        with translated(self._libraries):
            found = self._libraries.connector.get_connector_properties(
                settings.root_helper, _address(), settings.use_multipath, settings.enforce_multipath, holder.host()
            )
        return cast(dict[str, object], found)

    def _connector(self, kind: str, properties: Mapping[str, object]) -> Connector:
        made = self._libraries.connector.InitiatorConnector.factory(
            kind,
            self._settings.root_helper,
            use_multipath=self._settings.use_multipath,
            conn={**properties, "mount_point_base": self._settings.mount_base},
        )
        return cast(Connector, made)

    def _device(self, path: str | bytes | RbdHandle, *, writing: bool) -> Device:
        if not isinstance(path, str | bytes):
            # os-brick has written the key of Ceph to a file, which is of no use any more.
            with suppress(OSError):
                os.unlink(path.rbd_conf)
            return RbdDevice(self._libraries, path.rbd_image)
        name = os.fsdecode(path)
        self._allow(name, writing=writing)
        return PathDevice(self._libraries, name, writing=writing)

    def _allow(self, path: str, *, writing: bool) -> None:
        """Let this process open a block device, which belongs to root."""
        with translated(self._libraries):
            is_device = stat.S_ISBLK(os.stat(path).st_mode)
            if is_device and not os.access(path, os.R_OK | (os.W_OK if writing else 0)):
                runner = self._libraries.executor.Executor(self._settings.root_helper)
                runner._execute(
                    "chown", str(os.getuid()), path, run_as_root=True, root_helper=self._settings.root_helper
                )

    def _rbd_properties(self, info: Mapping[str, object]) -> dict[str, object]:
        """Return the properties for librbd, with time limits and the key.

        os-brick writes the key behind ``[global]`` into a configuration file, where options may stand before it.
        """
        user, cluster = info.get("auth_username"), info.get("cluster_name")
        path = self._settings.keyring or f"/etc/ceph/{cluster}.client.{user}.keyring"
        try:
            key = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = f"the Ceph key {path} cannot be read: {getattr(error, 'strerror', 'it is no text')}"
            raise errors.RemoteServiceUnavailable(reason=reason) from error
        timeout = self._settings.rbd_timeout
        options = {
            "client_mount_timeout": timeout,
            "rados_mon_op_timeout": timeout,
            "rados_osd_op_timeout": timeout,
            "rbd_cache": "true",
            "rbd_cache_policy": "writearound",
            "rbd_cache_size": CACHE,
            "rbd_cache_max_dirty": CACHE // 2,
            "rbd_cache_target_dirty": CACHE // 4,
        }
        text = "".join(f"{name} = {value}\n" for name, value in options.items())
        return {**info, "keyring": f"{text}{key}", "do_local_attach": False}


def _in_a_thread(connector: Connector, properties: Mapping[str, object]) -> Connected:
    """Connect in a thread of its own.

    Ceph knows a client by a random number of a generator of the thread, whose state a fork copies: two processes could
    take the same number.
    """
    with ThreadPoolExecutor(1, "cinder-connect") as thread:
        return thread.submit(connector.connect_volume, properties).result()


def _address() -> str:
    """Return the address of this host, as far as its name leads to one."""
    try:
        return socket.gethostbyname(holder.host())
    except OSError:
        return "127.0.0.1"
