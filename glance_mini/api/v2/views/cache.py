"""The cache of image data (api-cache)."""

from datetime import UTC, datetime

from glance_mini.domain.cache import CacheListing, CacheRecord, Pruned


def listing(found: CacheListing) -> dict[str, object]:
    """Return the view of what is cached and queued."""
    return {"cached_images": [_entry(each) for each in found.cached], "queued_images": list(found.queued)}


def pruned(found: Pruned) -> dict[str, object]:
    """Return the view of what was pruned."""
    return {"total_files_pruned": found.images, "total_bytes_pruned": found.size}


def _entry(record: CacheRecord) -> dict[str, object]:
    return {
        "image_id": record.image_id,
        "hits": record.hits,
        "last_accessed": _seconds(record.last_accessed),
        "last_modified": _seconds(record.last_modified),
        "size": record.size,
    }


def _seconds(time: datetime) -> float:
    """Return a time in UTC without a zone in seconds since 1970."""
    return time.replace(tzinfo=UTC).timestamp()
