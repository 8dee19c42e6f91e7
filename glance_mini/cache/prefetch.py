"""Finds the images that the rules of prefetching name, the most wanted first, and what they are read from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from glance_mini.cache.catalog import Catalog
from glance_mini.cache.source import DataSource, Source
from glance_mini.content.disks import Disks, DiskSource, OpenedDisk, complete_disk
from glance_mini.db.interface import DataAccess
from glance_mini.domain.cache_rules import POPULAR, PUBLIC, PrefetchRule
from glance_mini.domain.errors import NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.query import EVERYTHING, ImageQuery
from glance_mini.metrics import Metrics
from glance_mini.operations.bases import GetDiskIndex, LoadChain
from glance_mini.operations.images import ListImages
from glance_mini.operations.records import LoadImage
from glance_mini_store.stores import Stores

PAGE = 100


def wanted_images(data: DataAccess, catalog: Catalog, rules: Sequence[PrefetchRule]) -> Iterator[Image]:
    """Yield the active images of each rule in turn; lazily, so that whoever has no room asks no further."""
    for rule in rules:
        if rule.kind == POPULAR:
            for image_id in catalog.popular(rule.count):
                image = find_active(data, image_id)
                if image is not None:
                    yield image
        else:
            yield from _listed(data, rule)


def find_active(data: DataAccess, image_id: str) -> Image | None:
    """Return the image, None if it is not active or does not exist."""
    try:
        image = data.run(LoadImage(image_id))
    except NotFound:
        return None
    return image if image.status == "active" else None


def source_of(data: DataAccess, stores: Stores, metrics: Metrics, image: Image) -> DataSource:
    """Return what the data of ``image`` is read from, for the service itself; of an incremental one the chain."""
    if image.base is None:
        return Source(stores, stores.order(image.locations), metrics)

    def load() -> OpenedDisk:
        return complete_disk(Disks(stores, metrics), data.run(LoadChain(image.id)), data.run(GetDiskIndex(image.id)))

    return DiskSource(stores, load)


def _listed(data: DataAccess, rule: PrefetchRule) -> Iterator[Image]:
    query = ImageQuery(one_of={"status": ("active",)}, limit=PAGE, visibility="all")
    query = replace(query, visibility="public") if rule.kind == PUBLIC else replace(query, tags=(rule.tag,))
    while True:
        page = data.run(ListImages(query, EVERYTHING))
        yield from page.images
        if page.next_marker is None:
            return
        query = replace(query, marker=page.next_marker)
