"""Takes an upload that is a delta to another image: judges it by its first bytes, and measures the complete disk.

The name of the backing file inside is blanked and never followed (api-incremental-upload).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self
from uuid import uuid4

from oslo_config import cfg

from glance_mini.content.disks import DISK_FORMATS, Disks
from glance_mini.content.qcow2.blanking import BlankedBacking
from glance_mini.content.qcow2.complete import CompleteDisk, make_index
from glance_mini.content.qcow2.extents import Chain
from glance_mini.domain.bases import BASE_PROPERTY, DISK_KEY, Delta, NewLink, described
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Invalid, LimitExceeded, UnsafeContent
from glance_mini.domain.image import Image
from glance_mini.domain.job import DISK_HASHES, Job, new_job
from glance_mini.domain.transfer import StoredData
from glance_mini.layers.base import Handler
from glance_mini.operations.bases import LoadChain
from glance_mini.operations.data import UploadData
from glance_mini_store.lanes import Chunk

HASHES_PRIORITY = -5
"""Below that of imports: the image can be used without its hashes."""


@dataclass(frozen=True, slots=True)
class IncrementalRules:
    """What incremental images may be: at most ``max_depth`` bases below one, an index of at most ``index_bytes``."""

    max_depth: int = 10
    index_bytes: int = 4 * 1024**2

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the rules in ``[incremental]``."""
        options = conf.incremental
        return cls(options.max_depth, options.max_index_kib * 1024)


def may_be_delta(image: Image) -> bool:
    """Return whether an upload to ``image`` is looked at as a possible delta: its property names a base."""
    return (
        bool(image.properties.get(BASE_PROPERTY)) and image.disk_format == "qcow2" and image.container_format == "bare"
    )


class IncomingDelta:
    """One upload to an image that names a base; ``is_delta`` is known with the first chunk."""

    def __init__(self, context: Context, op: UploadData, disks: Disks, rules: IncrementalRules, below: Handler) -> None:
        self._context = context
        self._image = op.target
        self._base = op.base_image
        self._disks = disks
        self._rules = rules
        self._below = below
        self._chain: tuple[Image, ...] = ()

    @property
    def is_delta(self) -> bool:
        """Whether the data names a backing file; if not, it makes a whole image."""
        return bool(self._chain)

    def checked(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Yield ``chunks`` without the name of a backing file; raises at the first one if the base does not fit.

        Raises Invalid, LimitExceeded, UnsafeContent, StoreError of the base.
        """
        blanked = BlankedBacking(chunks)
        for chunk in blanked:
            if not self._chain and blanked.found is not None and blanked.found.header is not None:
                self._chain = self._check_base(blanked.found.header.virtual_size)
            yield chunk

    def _check_base(self, virtual_size: int) -> tuple[Image, ...]:
        """Return the base and its own bases."""
        base = self._base
        if base is None:
            named = self._image.properties[BASE_PROPERTY]
            raise Invalid(reason=f"The data is a delta, and you have no image {named} that could be its base.")
        if base.status != "active":
            raise Invalid(reason=f"Image {base.id} is {base.status}; a base must be active.")
        if base.disk_format not in DISK_FORMATS or base.container_format != "bare":
            raise Invalid(reason=f"Image {base.id} is not a disk in the format {' or '.join(DISK_FORMATS)}.")
        chain: tuple[Image, ...] = self._below(self._context, LoadChain(base.id))
        if len(chain) > self._rules.max_depth:
            raise LimitExceeded(resource="bases of an image", limit=self._rules.max_depth, wanted=len(chain))
        size = self._disks.chain(chain).size
        if virtual_size < size:
            reason = f"the disk has {virtual_size} bytes and that of its base, image {base.id}, has {size}"
            raise UnsafeContent(reason=reason)
        return chain

    def linked(self, written: StoredData) -> StoredData:
        """Return ``written``, a delta in a store, as the data of the image, as ``linked`` does."""
        return linked(written, self._chain, self._disks, self._rules)

    def jobs(self) -> tuple[Job, ...]:
        """Return the job that computes the hashes of the complete disk."""
        return (hashes_job(self._context, self._image.id),)


def linked(written: StoredData, bases: Sequence[Image], disks: Disks, rules: IncrementalRules) -> StoredData:
    """Return ``written``, a stored delta to the first of ``bases``, with its link and the size of the complete disk.

    Reads the tables of the chain. Raises UnsafeContent if the delta is damaged, StoreError.
    """
    top = disks.level_at([written.location], written.size, "qcow2")
    chain = Chain([top, *disks.chain(bases).levels])
    index = make_index(chain)
    delta = Delta(bases[0].id, written.size, written.checksum, written.os_hash_algo, written.os_hash_value)
    own = {**described(delta), DISK_KEY: str(uuid4())}
    return replace(
        written,
        location=replace(written.location, metadata={**written.location.metadata, **own}),
        size=CompleteDisk(chain, index).size,
        virtual_size=chain.size,
        checksum=None,
        os_hash_algo=None,
        os_hash_value=None,
        link=NewLink(rules.max_depth, 1 << chain.cluster_bits, index if len(index) <= rules.index_bytes else b""),
    )


def hashes_job(context: Context, image_id: str) -> Job:
    """Return the job that computes the hashes of the complete disk of an image."""
    return new_job(context, DISK_HASHES, {}, image_id=image_id, priority=HASHES_PRIORITY)
