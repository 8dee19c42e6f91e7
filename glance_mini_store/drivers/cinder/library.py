"""The libraries of the driver, loaded when it is configured, and the part of their interfaces that it uses."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Protocol, Self, TypedDict, TypeVar

from glance_mini_store.extras import import_library
from glance_mini_store.keystone import KeystoneErrors

Told = TypeVar("Told", covariant=True)


class Resource(Protocol[Told]):
    """What Cinder says of a thing of its own."""

    def to_dict(self) -> Told:
        """Return it as it came."""


class Identified(TypedDict):
    """A thing of Cinder."""

    id: str


class Named(Identified):
    """A thing of Cinder with a name."""

    name: str


class Holding(TypedDict):
    """What a volume says of an attachment that is complete."""

    attachment_id: str
    device: str | None


VolumeTold = TypedDict(
    "VolumeTold",
    {
        "id": str,
        "name": str | None,
        "status": str,
        "size": int,
        "metadata": dict[str, str],
        "attachments": list[Holding],
        "volume_type": str | None,
        "os-vol-tenant-attr:tenant_id": str,
    },
    total=False,
)
"""A volume; ``size`` in GiB."""


class AttachmentTold(Identified):
    """A new attachment."""

    connection_info: Mapping[str, object]


class Message(TypedDict):
    """What Cinder tells a user of something that it could not do."""

    user_message: str


class LimitsTold(TypedDict):
    """The limits of a project, and what it uses."""

    absolute: Mapping[str, int]


class Volumes(Protocol):
    """``client.volumes`` of cinderclient."""

    def get(self, volume_id: str) -> Resource[VolumeTold]:
        """Return a volume."""

    def list(
        self, *, search_opts: Mapping[str, str], marker: str | None = None, limit: int | None = None
    ) -> Sequence[Resource[VolumeTold]]:
        """Return volumes of the project, with details; with ``limit`` at most so many."""

    def create(
        self, size: int, *, name: str, description: str, volume_type: str | None, metadata: Mapping[str, str]
    ) -> Resource[VolumeTold]:
        """Begin to create a volume of ``size`` GiB."""

    def set_metadata(self, volume: str, metadata: Mapping[str, str]) -> object:
        """Set keys of the metadata of a volume."""

    def extend(self, volume: str, new_size: int) -> object:
        """Begin to extend a volume to ``new_size`` GiB."""

    def delete(self, volume: str) -> object:
        """Begin to delete a volume."""


class Attachments(Protocol):
    """``client.attachments`` of cinderclient."""

    def create(self, volume_id: str, connector: Mapping[str, object], *, mode: str) -> AttachmentTold:
        """Attach a volume to a host."""

    def complete(self, attachment: str) -> object:
        """Tell that the host is connected."""

    def list(self, *, detailed: bool, search_opts: Mapping[str, str]) -> Sequence[Resource[Identified]]:
        """Return attachments."""

    def delete(self, attachment: str) -> object:
        """Detach."""


class Snapshots(Protocol):
    """``client.volume_snapshots`` of cinderclient."""

    def list(self, *, detailed: bool, search_opts: Mapping[str, str]) -> Sequence[object]:
        """Return snapshots."""


class VolumeTypes(Protocol):
    """``client.volume_types`` of cinderclient."""

    def list(self) -> Sequence[Resource[Named]]:
        """Return the types that the project may use."""


class Messages(Protocol):
    """``client.messages`` of cinderclient."""

    def list(self, *, search_opts: Mapping[str, str]) -> Sequence[Resource[Message]]:
        """Return what Cinder tells users of what it could not do."""


class Limits(Protocol):
    """``client.limits`` of cinderclient."""

    def get(self) -> Resource[LimitsTold]:
        """Return the limits of the project."""


class Client(Protocol):
    """``cinderclient.v3.client.Client``."""

    volumes: Volumes
    attachments: Attachments
    volume_snapshots: Snapshots
    volume_types: VolumeTypes
    messages: Messages
    limits: Limits


class Session(Protocol):
    """A session of keystoneauth."""

    def get_project_id(self) -> str | None:
        """Return the project of the token; authenticates if there is none."""


class Image(Protocol):
    """An open image of Ceph (``rbd.Image``)."""

    def size(self) -> int:
        """Return its bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes."""

    def write(self, data: bytes, offset: int) -> int:
        """Write bytes."""

    def flush(self) -> None:
        """Return when all writes are durable."""


class RbdHandle(Protocol):
    """The file-like object that os-brick gives for a volume on Ceph; ``rbd_conf`` is the path of its configuration."""

    rbd_conf: str
    rbd_image: Image


class Connected(TypedDict):
    """What os-brick has connected: the path of a device or a file, or an open image of Ceph."""

    path: str | bytes | RbdHandle


class Connector(Protocol):
    """A connector of os-brick for one protocol."""

    def connect_volume(self, connection_properties: Mapping[str, object]) -> Connected:
        """Connect."""

    def disconnect_volume(self, connection_properties: Mapping[str, object], device_info: Mapping[str, object]) -> None:
        """Disconnect."""

    def extend_volume(self, connection_properties: Mapping[str, object]) -> int | None:
        """Let the host see the new size of the volume."""


@dataclass(frozen=True)
class Libraries:
    """The modules of python-cinderclient, keystoneauth1 and os-brick that the driver uses.

    Requests raise ``http_failure`` of cinderclient and what is in ``keystone``.
    ``connecting`` is what os-brick raises, and Ceph's modules if they are there.
    """

    client: ModuleType
    versions: ModuleType
    version_3: ModuleType
    token_endpoint: ModuleType
    session: ModuleType
    http_failure: type[Exception]
    keystone: KeystoneErrors
    connector: ModuleType
    executor: ModuleType
    privileges: ModuleType
    connecting: tuple[type[Exception], ...]

    @classmethod
    def load(cls) -> Self:
        """Return the modules; raises DriverLoadFailure if a package is missing."""
        keystone = KeystoneErrors.load("cinder")
        client_exceptions = import_library("cinderclient.exceptions", driver="cinder")
        with warnings.catch_warnings():
            # oslo.privsep, which os-brick uses, imports a library that announces its own end.
            warnings.simplefilter("ignore")
            brick = import_library("os_brick.exception", driver="cinder")
            connector = import_library("os_brick.initiator.connector", driver="cinder")
        # At lower levels they write tokens, and what connects to volumes.
        for name in ("cinderclient", "os_brick"):
            logging.getLogger(name).setLevel(logging.WARNING)
        processes = import_library("oslo_concurrency.processutils", driver="cinder")
        daemon = import_library("oslo_privsep.daemon", driver="cinder")
        return cls(
            client=import_library("cinderclient.v3.client", driver="cinder"),
            versions=import_library("cinderclient.api_versions", driver="cinder"),
            version_3=import_library("keystoneauth1.identity.v3", driver="cinder"),
            token_endpoint=import_library("keystoneauth1.token_endpoint", driver="cinder"),
            session=import_library("keystoneauth1.session", driver="cinder"),
            http_failure=client_exceptions.ClientException,
            keystone=keystone,
            connector=connector,
            executor=import_library("os_brick.executor", driver="cinder"),
            privileges=import_library("oslo_privsep.priv_context", driver="cinder"),
            connecting=(
                brick.BrickException,
                processes.ProcessExecutionError,
                daemon.FailedToDropPrivileges,
                OSError,
                *_errors_of_ceph(),
            ),
        )


def _errors_of_ceph() -> list[type[Exception]]:
    """Return the errors of Ceph's modules, which only volumes on Ceph need; none if they are missing."""
    found: list[type[Exception]] = []
    with suppress(ImportError):
        found += [import_module(name).Error for name in ("rados", "rbd")]
    return found
