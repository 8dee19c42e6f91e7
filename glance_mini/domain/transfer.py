"""Transfers: uploads in progress as rows of the database, each held by a lease.

A killed process no longer renews its leases. When a lease has expired, another process takes over the row, removes
the data and resets the image.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.bases import NewLink
from glance_mini.domain.image import Location


@dataclass(frozen=True, slots=True)
class Transfer:
    """One upload in progress: ``name`` is the name of its data in the store, ``reserved`` its reserved quota in bytes.

    ``node_url`` is the URL of the node on whose own disk it writes, None if all nodes can access the data. The
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
    node_url: str | None = None


@dataclass(frozen=True, slots=True)
class StoredData:
    """The data of a finished upload in a store, with its sizes in bytes and its hashes.

    A format is set if the data was converted to another format than the image's, or if the image has none. ``link`` is
    set if the location holds a delta; sizes and hashes are those of the complete disk then, hashes that a job will
    compute None.
    """

    location: Location
    size: int
    virtual_size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    disk_format: str | None = None
    container_format: str | None = None
    link: NewLink | None = None


@dataclass(frozen=True, slots=True)
class DataRemoval:
    """A pending deletion: data that no image refers to any more and that must be deleted from its store.

    ``node_url`` is the URL of the node on whose own disk the data is, None if any node can delete it. ``due_at`` is
    the time of the next attempt.
    """

    id: int
    image_id: str
    url: str = field(repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict)
    node_url: str | None = None
    due_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DeletedImage:
    """A deleted image that can be restored until ``scrub_at``; ``size`` in bytes."""

    id: str
    name: str | None
    owner: str | None
    size: int | None
    scrub_at: datetime
