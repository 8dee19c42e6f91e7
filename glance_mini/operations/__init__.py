"""What can be asked of the image service: frozen values, one file per resource.

``OPERATIONS`` holds all of them; a layer may have a method for each name that stands here and for no other.
``DATA_CALLS`` are those of them that the data access layer answers.
"""

from glance_mini.operations import data, images, imports, info, jobs, locations, members, outbox, records, tasks
from glance_mini.operations.base import DataCall, ImageOperation, Operation

OPERATIONS: tuple[type[Operation[object]], ...] = (
    images.OPERATIONS
    + data.OPERATIONS
    + imports.OPERATIONS
    + locations.OPERATIONS
    + members.OPERATIONS
    + tasks.OPERATIONS
    + info.OPERATIONS
    + records.OPERATIONS
    + jobs.OPERATIONS
    + outbox.OPERATIONS
)

DATA_CALLS = tuple(operation for operation in OPERATIONS if issubclass(operation, DataCall))

__all__ = ["DATA_CALLS", "OPERATIONS", "DataCall", "ImageOperation", "Operation"]
