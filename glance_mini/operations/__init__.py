"""The operations of the image service as frozen values, one file per resource.

``OPERATIONS`` holds all of them; a layer may have methods only for the names of these operations.
``DATA_CALLS`` are the operations that the data access layer answers.
"""

from glance_mini.operations import (
    bases,
    blocks,
    cache,
    data,
    disks,
    event_log,
    identity,
    images,
    imports,
    info,
    jobs,
    links,
    locations,
    members,
    metadef_loading,
    metadef_parts,
    metadefs,
    migration,
    once,
    outbox,
    records,
    tasks,
    upload_sessions,
    verification,
)
from glance_mini.operations.base import DataCall, ImageOperation, NamespaceOperation, Operation

OPERATIONS: tuple[type[Operation[object]], ...] = (
    images.OPERATIONS
    + data.OPERATIONS
    + imports.OPERATIONS
    + locations.OPERATIONS
    + members.OPERATIONS
    + links.OPERATIONS
    + identity.OPERATIONS
    + upload_sessions.OPERATIONS
    + tasks.OPERATIONS
    + info.OPERATIONS
    + metadefs.OPERATIONS
    + metadef_parts.OPERATIONS
    + metadef_loading.OPERATIONS
    + records.OPERATIONS
    + jobs.OPERATIONS
    + outbox.OPERATIONS
    + cache.OPERATIONS
    + migration.OPERATIONS
    + bases.OPERATIONS
    + disks.OPERATIONS
    + blocks.OPERATIONS
    + event_log.OPERATIONS
    + once.OPERATIONS
    + verification.OPERATIONS
)

DATA_CALLS = tuple(operation for operation in OPERATIONS if issubclass(operation, DataCall))

__all__ = ["DATA_CALLS", "OPERATIONS", "DataCall", "ImageOperation", "NamespaceOperation", "Operation"]
