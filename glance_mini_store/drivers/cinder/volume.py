"""A volume as Cinder describes it, and the marks in its metadata that tell what this driver keeps in it.

A volume has its marks from its first moment. It holds an image that can be read when the mark ``STATE`` says so, which
is the last thing that a write does.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from glance_mini_store import errors
from glance_mini_store.drivers.cinder.library import VolumeTold
from glance_mini_store.numbers import parse_number

GIB = 1024**3

IMAGE = "glance_mini.image"
"""The name under which the volume was written."""

STORE = "glance_mini.store"
"""The id of the store that wrote it."""

WRITE = "glance_mini.write"
"""Which write it was."""

STATE = "glance_mini.state"
"""NEW, CLAIMED or READY."""

NEW, CLAIMED, READY = "new", "claimed", "ready"

SIZE = "image_size"
"""Bytes of the image. Cinder and older services have this key too, and OWNER."""

OWNER = "image_owner"
"""The project of the image."""


@dataclass(frozen=True)
class Volume:
    """A volume of ``gib`` GiB; ``status`` is that of Cinder, ``project_id`` None if Cinder does not tell it.

    ``type`` is the name of its volume type. ``holders`` maps its complete attachments to their devices.
    """

    id: str
    name: str | None
    status: str
    gib: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)
    project_id: str | None = None
    type: str | None = None

    @classmethod
    def parse(cls, told: VolumeTold) -> Self:
        """Return the volume that Cinder tells of."""
        return cls(
            id=told["id"],
            name=told.get("name"),
            status=told["status"],
            gib=told["size"],
            metadata=told.get("metadata") or {},
            holders={each["attachment_id"]: each.get("device") or "" for each in told.get("attachments") or ()},
            project_id=told.get("os-vol-tenant-attr:tenant_id"),
            type=told.get("volume_type"),
        )

    @property
    def is_draft(self) -> bool:
        """Return whether this driver wrote it, but not to the end."""
        return IMAGE in self.metadata and (self.metadata.get(STATE) != READY or SIZE not in self.metadata)

    def is_written_as(self, name: str, store_id: str) -> bool:
        """Return whether the store wrote it under ``name``."""
        return (self.metadata.get(IMAGE), self.metadata.get(STORE)) == (name, store_id)

    def image_size(self, location: str) -> int:
        """Return the bytes of the image: those that the metadata names, else those of the whole volume.

        Raises NotFound for a draft or a volume that is being deleted, RemoteServiceUnavailable if it does not hold so
        much.
        """
        if self.is_draft or self.status == "deleting":
            raise errors.NotFound(location=location)
        if SIZE not in self.metadata:
            return self.gib * GIB
        size = parse_number(self.metadata[SIZE])
        if size is None or size > self.gib * GIB:
            reason = f"the metadata {SIZE} of the volume {self.id} is not a number of bytes that it can hold"
            raise errors.RemoteServiceUnavailable(reason=reason)
        return size


@dataclass(frozen=True)
class Marks:
    """The marks of one write of ``name`` by a store; ``owner`` is the project of the image if it is known."""

    name: str
    store_id: str
    owner: str | None = None
    write: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def volume_name(self) -> str:
        """Return the name of the volume in Cinder."""
        return volume_name(self.name)

    def new(self) -> dict[str, str]:
        """Return the metadata of the volume when it is made."""
        marks = {IMAGE: self.name, STORE: self.store_id, WRITE: self.write, STATE: NEW}
        return {**marks, OWNER: self.owner} if self.owner else marks


def volume_name(name: str) -> str:
    """Return the name in Cinder of a volume for ``name``."""
    return f"image-{name}"


def gib_for(size: int) -> int:
    """Return the GiB of a volume for ``size`` bytes: whole ones, one at least."""
    return max(1, -(-size // GIB))
