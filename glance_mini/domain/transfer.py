"""Transfers: uploads in flight as the database knows them, each held by a lease.

A process that is killed stops renewing; when the lease has ended another process takes the row over, removes
the data and puts the image back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.image import Location


@dataclass(frozen=True, slots=True)
class Transfer:
    """One upload in flight: ``name`` is what the store writes under, ``reserved`` the bytes of quota it holds.

    ``host`` is the address of the node on whose own disk it writes, None where all nodes can see what it wrote. The
    times are None until the row exists.
    """

    id: str
    image_id: str
    project_id: str | None
    process: str
    store: str
    name: str
    reserved: int
    started_at: datetime | None = None
    lease_until: datetime | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class StoredData:
    """What a finished upload has left in a store and what is known of it; sizes in bytes.

    A format is set where the data was brought into another one than the image says, or the image says none.
    """

    location: Location
    size: int
    virtual_size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    disk_format: str | None = None
    container_format: str | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """Data that no image refers to any more and that must leave its store.

    ``host`` is the address of the node on whose own disk it is, None where any node can delete it. ``due_at`` is when
    it is given out again.
    """

    id: int
    image_id: str
    url: str = field(repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict)
    host: str | None = None
    due_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DeletedImage:
    """A deleted image that can be restored until ``scrub_at``; ``size`` in bytes."""

    id: str
    name: str | None
    owner: str | None
    size: int | None
    scrub_at: datetime
