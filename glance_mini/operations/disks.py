"""Operations that give an active image other data with the same disk. Jobs do the work (api-incremental-jobs).

``chain`` is set by the layers, as for ``DownloadData``: what becomes whole holds the blocks of all bases.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.bases import Sharing
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class CoalesceImage(ImageOperation[Job]):
    """Begin to store the complete disk of an incremental image in place of its delta, and return the job.

    With a ``depth`` it keeps so many of its lowest bases, and what is stored is a delta to the uppermost of them.
    Raises Conflict if the image is whole or has no more than ``depth`` bases, is not active, or if another job works on
    it; LimitExceeded.
    """

    name: ClassVar[str] = "coalesce_image"
    for_owner: ClassVar[bool] = True
    depth: int = 0
    chain: tuple[Image, ...] = ()
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class FlattenImage(ImageOperation[Job | None]):
    """Begin to coalesce an incremental image and then to share it, if its new audience may not see its base.

    Returns the job; None if nothing has to be flattened: then nothing was begun and nothing was shared. Raises Conflict
    if the image is not active, or if another job works on it; LimitExceeded.
    """

    name: ClassVar[str] = "flatten_image"
    for_owner: ClassVar[bool] = True
    sharing: Sharing = field(default_factory=Sharing)
    chain: tuple[Image, ...] = ()
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class RebaseImage(ImageOperation[Job]):
    """Begin to store what differs from the image ``base_id`` in place of the data of an image, and return the job.

    ``base_image`` is set by the layers: that image, None if it does not exist or if the caller may not read it. Raises
    Invalid, Conflict, ChainConflict, LimitExceeded.
    """

    name: ClassVar[str] = "rebase_image"
    for_owner: ClassVar[bool] = True
    base_id: str = ""
    base_image: Image | None = None
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class ConvertImage(ImageOperation[Job]):
    """Begin to store the disk of an image in another format, qcow2 or raw, and return the job.

    ``new_image`` is the name of a new image that gets the disk, for the same project; None: it takes the place of the
    data of the image. Raises Invalid, Conflict if the format of the image cannot be read, LimitExceeded; without a new
    image also Conflict if the image is incremental, ChainConflict if other images are based on it.
    """

    name: ClassVar[str] = "convert_image"
    for_owner: ClassVar[bool] = True
    disk_format: str = ""
    new_image: str | None = None
    chain: tuple[Image, ...] = ()
    limits: Limits = NO_LIMITS


OPERATIONS: tuple[type[Operation[object]], ...] = (CoalesceImage, FlattenImage, RebaseImage, ConvertImage)
