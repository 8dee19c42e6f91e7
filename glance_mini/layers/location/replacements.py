"""Begins the jobs that give an active image other data with the same disk (api-incremental-jobs)."""

from collections.abc import Callable
from dataclasses import replace

from glance_mini.content.disk_formats import QEMU_NAMES
from glance_mini.content.disks import DISK_FORMATS
from glance_mini.domain.bases import MOST_NAMED, Sharing
from glance_mini.domain.context import Context
from glance_mini.domain.errors import ChainConflict, Conflict, Invalid, StatusConflict
from glance_mini.domain.image import Image
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import COALESCE, CONVERT, REBASE, Job, new_job
from glance_mini.domain.query import EVERYONES
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.layers.location.imports import ImportRules
from glance_mini.operations.base import DataCall
from glance_mini.operations.bases import ListDependents
from glance_mini.operations.disks import ConvertImage, FlattenImage, RebaseImage
from glance_mini.operations.images import CreateImage
from glance_mini.operations.members import ListMembers
from glance_mini.operations.records import BeginImport, LoadImage
from glance_mini_store.errors import StoreError
from glance_mini_store.stores import Stores


def begin_coalescing(
    context: Context,
    chain: tuple[Image, ...],
    stores: Stores,
    rules: ImportRules,
    limits: Limits = NO_LIMITS,
    depth: int = 0,
) -> BeginImport:
    """Return the call that begins to coalesce the first image of ``chain`` so that ``depth`` bases stay.

    Raises Conflict.
    """
    image = chain[0]
    if image.base is None:
        raise Conflict(reason=f"Image {image.id} is whole; there is nothing to coalesce.")
    if depth >= len(chain) - 1:
        raise Conflict(reason=f"Image {image.id} has {len(chain) - 1} bases; there is nothing to coalesce.")
    return _begin(context, image, COALESCE, {"depth": depth}, stores, rules, limits)


def begin_flattening(
    context: Context,
    op: FlattenImage,
    below: Callable[[DataCall[object]], object],
    stores: Stores,
    rules: ImportRules,
) -> BeginImport | None:
    """Return the call that begins to coalesce the image and then to share it; None if everybody may see its base.

    Raises Conflict.
    """
    image, sharing = op.target, op.sharing
    if image.base is None or not _hides_base(image, sharing, below):
        return None
    values = {"visibility": sharing.visibility, "member": sharing.member, "before": image.visibility}
    return _begin(context, image, COALESCE, {"sharing": values}, stores, rules, op.limits)


def _hides_base(image: Image, sharing: Sharing, below: Callable[[DataCall[object]], object]) -> bool:
    """Return whether somebody could read the image after ``sharing`` who may not see its base."""

    def members_of(image_id: str) -> set[str]:
        found = below(ListMembers(image_id))
        assert isinstance(found, tuple)
        return {member.member_id for member in found}

    base = below(LoadImage(str(image.base)))
    assert isinstance(base, Image)
    if base.owner is None or base.visibility in EVERYONES:
        return False
    if sharing.visibility in EVERYONES:
        return True
    if sharing.member is not None:
        readers = {sharing.member}
    else:
        readers = members_of(image.id) if sharing.visibility == "shared" else set()
    return not readers <= {base.owner} | (members_of(base.id) if base.visibility == "shared" else set())


def begin_rebasing(
    context: Context, op: RebaseImage, dependents: tuple[str, ...], stores: Stores, rules: ImportRules
) -> BeginImport:
    """Return the call that begins to rebase the image, on which no image may be based; raises Conflict, Invalid."""
    image, base = op.target, op.base_image
    if base is None:
        raise Invalid(reason=f"You have no image {op.base_id} that could be a base.")
    if base.id == image.id:
        raise Invalid(reason="An image cannot be its own base.")
    for each in (image, base):
        _check_disk(each)
    if image.disk_format != "qcow2":
        raise Conflict(reason=f"Image {image.id} is {image.disk_format}; only a qcow2 can be stored as a delta.")
    _check_free(image, dependents)
    return _begin(context, image, REBASE, {"base": base.id}, stores, rules, op.limits)


def begin_converting(
    context: Context,
    op: ConvertImage,
    below: Callable[[DataCall[object]], object],
    stores: Stores,
    rules: ImportRules,
) -> BeginImport:
    """Return the call that begins to convert the image, or to fill a new one, which is created now.

    No image may be based on one that is converted in place. Raises Conflict, Invalid.
    """
    image = op.target
    if op.disk_format not in DISK_FORMATS:
        raise Invalid(reason=f"An image can be converted to {' and '.join(DISK_FORMATS)} only.")
    if image.status != "active":
        raise StatusConflict(id=image.id, status=image.status, wanted="active")
    if image.disk_format not in QEMU_NAMES or image.container_format != "bare":
        raise Conflict(reason=f"Image {image.id} is not a disk in a format of {', '.join(sorted(QEMU_NAMES))}.")
    if op.new_image is not None:
        return _begin_new(context, op, below, stores, rules)
    if image.base is not None:
        raise Conflict(reason=f"Image {image.id} is based on another image; coalesce it first, or make a new image.")
    if image.disk_format == op.disk_format:
        raise Conflict(reason=f"Image {image.id} is {op.disk_format} already.")
    found = below(ListDependents(image.id, MOST_NAMED))
    assert isinstance(found, tuple)
    _check_free(image, found)
    return _begin(context, image, CONVERT, {"disk_format": op.disk_format}, stores, rules, op.limits)


def _begin_new(
    context: Context,
    op: ConvertImage,
    below: Callable[[DataCall[object]], object],
    stores: Stores,
    rules: ImportRules,
) -> BeginImport:
    source, store = op.target, _store_of(op.target, stores)
    formats = {"disk_format": op.disk_format, "container_format": "bare"}
    needs = {"min_disk": source.min_disk, "min_ram": source.min_ram}
    base = {"name": op.new_image, "owner": source.owner, **formats, **needs}
    image = below(CreateImage(base=base, limits=op.limits))
    assert isinstance(image, Image)
    values = {"image_id": image.id, "source": source.id, "disk_format": op.disk_format}
    priority = rules.priority(CONVERT)
    job = new_job(context, CONVERT, values, image_id=image.id, stores=(store,), priority=priority)
    job = _of_owner(job, source)
    return BeginImport(job, "queued", "importing", {TASK_PROPERTY: job.id}, op.limits, rules.keep_jobs)


def _check_disk(image: Image) -> None:
    if image.status != "active":
        raise StatusConflict(id=image.id, status=image.status, wanted="active")
    if image.disk_format not in DISK_FORMATS or image.container_format != "bare":
        raise Conflict(reason=f"Image {image.id} is not a disk in the format {' or '.join(DISK_FORMATS)}.")


def _check_free(image: Image, dependents: tuple[str, ...]) -> None:
    if dependents:
        reason = f"Image {image.id} is the base of other images, whose complete disks would change."
        raise ChainConflict(reason=reason, dependents=list(dependents), shown="")


def _begin(
    context: Context,
    image: Image,
    kind: str,
    values: dict[str, object],
    stores: Stores,
    rules: ImportRules,
    limits: Limits,
) -> BeginImport:
    if image.status != "active":
        raise StatusConflict(id=image.id, status=image.status, wanted="active")
    store = _store_of(image, stores)
    priority = rules.priority(kind)
    job = new_job(
        context, kind, {"image_id": image.id, **values}, image_id=image.id, stores=(store,), priority=priority
    )
    job = _of_owner(job, image)
    return BeginImport(job, "active", "active", {TASK_PROPERTY: job.id}, limits, rules.keep_jobs)


def _of_owner(job: Job, image: Image) -> Job:
    """Return ``job`` as one of the project of ``image``, which sees it although an administrator has begun it."""
    return job if image.owner is None else replace(job, project_id=image.owner)


def _store_of(image: Image, stores: Stores) -> str:
    """Return the store for the new data: the first of the image's own that can be written, else the default."""
    for location in stores.order(image.locations):
        try:
            store = stores.for_location(location.url, location.store)
        except StoreError:
            continue
        if not store.read_only:
            return store.id
    return stores.default.id
