"""A stand-in for Cinder and os-brick, whose packages the unit tests do not have: it keeps volumes in files.

It does what the interfaces of both say, at once, and records the calls of os-brick. The integration tests use the real
ones.
"""

import os
import uuid
from types import SimpleNamespace

from glance_mini_store.drivers.cinder.library import Libraries
from glance_mini_store.drivers.cinder.options import OPTIONS
from glance_mini_store.keystone import KeystoneErrors

GIB = 1024**3


class HttpFailure(Exception):
    """What cinderclient raises."""

    def __init__(self, code, message=""):
        super().__init__(message)
        self.code = code
        self.message = message


class AuthFailure(Exception):
    """What keystoneauth raises."""


class Refusal(AuthFailure):
    """What keystoneauth raises for wrong credentials."""


class Absence(AuthFailure):
    """What keystoneauth raises without an entry in the catalog."""


class ConnectionFailure(AuthFailure):
    """What keystoneauth raises without an answer."""


class BrickFailure(Exception):
    """What os-brick raises."""


class Told:
    """A resource of cinderclient."""

    def __init__(self, **values):
        self._values = values

    def to_dict(self):
        return dict(self._values)


class StandIn:
    """Cinder with volumes by id, whose data is in files below ``folder``, and os-brick with its ``calls``.

    ``fail(name, error, after)`` lets a call raise. ``kind`` is the protocol of the volumes, ``limit`` the GiB of the
    quota, ``new_status`` the status of new volumes.
    """

    def __init__(self, folder, kind="iscsi"):
        self.folder = folder
        self.kind = kind
        self.limit = 1000
        self.multiattach = True
        self.new_status = "available"
        self.volumes = {}
        self.snapshots = []
        self.attached = {}
        self.calls = []
        self.requests = []
        self.info = {}
        self._failures = {}

    def fail(self, name, error, after=0):
        """Let the call ``name`` raise ``error``, once, after so many that succeed."""
        self._failures[name] = [after, error]

    def step(self, name):
        """Record a call, and raise what was planned for it."""
        self.requests.append(name)
        planned = self._failures.get(name)
        if planned is None:
            return
        if planned[0]:
            planned[0] -= 1
            return
        del self._failures[name]
        raise planned[1]

    def path(self, volume_id):
        """Return the file with the data of a volume."""
        return os.path.join(self.folder, volume_id)

    def libraries(self):
        """Return what the driver loads."""
        plugin = SimpleNamespace
        return Libraries(
            client=SimpleNamespace(Client=lambda **options: _Client(self)),
            versions=SimpleNamespace(APIVersion=str),
            version_3=SimpleNamespace(
                Password=lambda *words, **more: plugin(), ApplicationCredential=lambda *words, **more: plugin()
            ),
            token_endpoint=SimpleNamespace(Token=lambda url, token: plugin()),
            session=SimpleNamespace(Session=lambda **options: _Session(self)),
            http_failure=HttpFailure,
            keystone=KeystoneErrors(AuthFailure, Refusal, Absence, ConnectionFailure),
            connector=SimpleNamespace(
                InitiatorConnector=SimpleNamespace(factory=self._factory),
                get_connector_properties=self._properties,
            ),
            executor=SimpleNamespace(),
            privileges=SimpleNamespace(init=lambda root_helper: self.calls.append(("init", root_helper))),
            connecting=(BrickFailure, OSError),
        )

    def settings(self, **values):
        """Return the options of a store with an account of its own."""
        settings = SimpleNamespace(**{option.dest: option.default for option in OPTIONS})
        options = {
            "cinder_store_auth_address": "https://keystone/v3",
            "cinder_store_user_name": "glance",
            "cinder_store_password": "hidden",
            "cinder_store_project_name": "service",
            "cinder_root_helper": "sudo",
            **values,
        }
        for name, value in options.items():
            assert hasattr(settings, name), name
            setattr(settings, name, value)
        return settings

    def used(self):
        """Return the GiB of all volumes."""
        return sum(volume["size"] for volume in self.volumes.values())

    def _properties(self, helper, address, multipath, enforce, host):
        self.calls.append(("properties", helper, multipath, enforce))
        return {"host": host, "ip": address, "initiator": "iqn.test"}

    def _factory(self, kind, helper, *, use_multipath, conn):
        self.calls.append(("factory", kind, helper, use_multipath, conn["mount_point_base"]))
        return _Connector(self)


class _Session:
    def __init__(self, cinder):
        self._cinder = cinder

    def get_project_id(self):
        self._cinder.step("token")
        return "project"


class _Connector:
    def __init__(self, cinder):
        self._cinder = cinder

    def connect_volume(self, properties):
        self._cinder.calls.append(("connect", properties["volume_id"]))
        self._cinder.step("connect")
        return {"path": self._cinder.path(properties["volume_id"])}

    def disconnect_volume(self, properties, info):
        self._cinder.calls.append(("disconnect", properties["volume_id"], info["path"]))
        self._cinder.step("disconnect")

    def extend_volume(self, properties):
        self._cinder.calls.append(("extend", properties["volume_id"]))


class _Client:
    def __init__(self, cinder):
        self.volumes = _Volumes(cinder)
        self.attachments = _Attachments(cinder)
        self.volume_snapshots = SimpleNamespace(
            list=lambda detailed, search_opts: [each for each in cinder.snapshots if each == search_opts["volume_id"]]
        )
        self.volume_types = SimpleNamespace(list=lambda: [Told(id="1", name="images")])
        self.messages = SimpleNamespace(list=lambda search_opts: [Told(user_message="no backend has room")])
        self.limits = SimpleNamespace(
            get=lambda: Told(absolute={"maxTotalVolumeGigabytes": cinder.limit, "totalGigabytesUsed": cinder.used()})
        )


class _Volumes:
    def __init__(self, cinder):
        self._cinder = cinder

    def _one(self, volume_id):
        try:
            return self._cinder.volumes[volume_id]
        except KeyError:
            raise HttpFailure(404) from None

    def get(self, volume_id):
        self._cinder.step("get")
        volume = self._one(volume_id)
        holders = [
            {"attachment_id": each, "device": attachment["device"]}
            for each, attachment in self._cinder.attached.items()
            if attachment["volume_id"] == volume_id
        ]
        return Told(**volume, attachments=holders)

    def list(self, *, search_opts, marker=None, limit=None):
        self._cinder.step("list")
        wanted = search_opts.get("name")
        found = [each for each in self._cinder.volumes if marker is None or each > marker]
        found = [each for each in sorted(found) if wanted in (None, self._cinder.volumes[each]["name"])]
        return [self.get(each) for each in found[:limit]]

    def create(self, size, *, name, description, volume_type, metadata):
        if self._cinder.used() + size > self._cinder.limit:
            raise HttpFailure(413, "VolumeSizeExceedsAvailableQuota")
        volume_id = str(uuid.uuid4())
        self._cinder.volumes[volume_id] = {
            "id": volume_id,
            "name": name,
            "status": self._cinder.new_status,
            "size": size,
            "metadata": dict(metadata),
            "volume_type": volume_type,
            "os-vol-tenant-attr:tenant_id": "project",
        }
        with open(self._cinder.path(volume_id), "wb") as file:
            file.truncate(size * GIB)
        # The answer may get lost.
        self._cinder.step("create")
        return self.get(volume_id)

    def set_metadata(self, volume, metadata):
        self._cinder.step("set_metadata")
        self._one(volume)["metadata"].update(metadata)

    def extend(self, volume, new_size):
        self._cinder.step("extend")
        if self._cinder.used() + new_size - self._one(volume)["size"] > self._cinder.limit:
            raise HttpFailure(413, "VolumeSizeExceedsAvailableQuota")
        self._one(volume)["size"] = new_size
        os.truncate(self._cinder.path(volume), new_size * GIB)

    def delete(self, volume):
        self._cinder.step("delete")
        one = self._one(volume)
        if one["status"] not in ("available", "error"):
            raise HttpFailure(400, "Volume status must be available")
        del self._cinder.volumes[volume]
        os.unlink(self._cinder.path(volume))


class _Attachments:
    def __init__(self, cinder):
        self._cinder = cinder

    def create(self, volume_id, connector, *, mode):
        self._cinder.step("attach")
        volume = self._cinder.volumes.get(volume_id)
        if volume is None:
            raise HttpFailure(404)
        if volume["status"] != "available" and not (self._cinder.multiattach and volume["status"] == "in-use"):
            raise HttpFailure(400, "status must be available")
        volume["status"] = "in-use"
        made = str(uuid.uuid4())
        self._cinder.attached[made] = {"volume_id": volume_id, "device": connector["mountpoint"], "mode": mode}
        info = {"driver_volume_type": self._cinder.kind, "volume_id": volume_id, **self._cinder.info}
        return {"id": made, "connection_info": info}

    def complete(self, attachment):
        self._cinder.step("complete")

    def list(self, *, detailed, search_opts):
        return [
            Told(id=each)
            for each, attachment in self._cinder.attached.items()
            if attachment["volume_id"] == search_opts["volume_id"]
        ]

    def delete(self, attachment):
        self._cinder.step("detach")
        if attachment not in self._cinder.attached:
            raise HttpFailure(404)
        volume_id = self._cinder.attached.pop(attachment)["volume_id"]
        if not any(each["volume_id"] == volume_id for each in self._cinder.attached.values()):
            self._cinder.volumes[volume_id]["status"] = "available"
