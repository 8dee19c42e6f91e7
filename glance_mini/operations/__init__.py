"""What can be asked of the image service: frozen values, one file per resource.

``OPERATIONS`` holds all of them; a layer may have a method for each name that stands here and for no other.
"""

from glance_mini.operations import data, images, imports, info, members, tasks
from glance_mini.operations.base import ImageOperation, Operation

OPERATIONS: tuple[type[Operation], ...] = (
    images.OPERATIONS
    + data.OPERATIONS
    + imports.OPERATIONS
    + members.OPERATIONS
    + tasks.OPERATIONS
    + info.OPERATIONS
)

__all__ = ["OPERATIONS", "ImageOperation", "Operation"]
