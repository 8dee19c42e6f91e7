"""``glance-mini-manage cache``: the cache of image data of the node on which the command runs.

The commands work beside a running service, whose locks they share.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oslo_config import cfg

from glance_mini.cmd.console import Subparsers, add_command, load_configuration
from glance_mini.cmd.output import Record, Rows
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Invalid, NotFound
from glance_mini.metrics import Metrics
from glance_mini.notifications.opening import open_data
from glance_mini.operations.records import LoadImage

if TYPE_CHECKING:
    from glance_mini.cache.node import ImageCache

_EXAMPLE_ID = "0d1f8a5e-5b1c-4f0b-9c5e-2f4f3c0a7b11"
_COLUMNS = ("image_id", "state", "size", "cached", "hits", "last_accessed")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    cache = commands.add_parser("cache", help="the cache of image data of this node")
    group = cache.add_subparsers(metavar="COMMAND", required=True)
    text = "show the images in the cache, wholly or in part, and those that are queued"
    add_command(group, "list", _list, text=text, example="cache list --format json", question=None)
    text = "show the size of the cache, what it holds, and its hits"
    add_command(group, "stats", _stats, text=text, example="cache stats", question=None)
    text = "let the service cache an image; it begins within seconds"
    of_one = [
        add_command(group, "queue", _queue, text=text, example=f"cache queue {_EXAMPLE_ID}", question=None),
        add_command(
            group,
            "delete",
            _delete,
            text="remove an image from the cache and from the queue",
            example=f"cache delete {_EXAMPLE_ID}",
            question=None,
        ),
    ]
    for parser in of_one:
        parser.add_argument("id", metavar="ID", help="the image")
    add_command(
        group,
        "clear",
        _clear,
        text="remove all images from the cache and from the queue",
        example="cache clear --yes",
        question=lambda arguments: "Remove all images from the cache of this node?",
    )
    text = "remove leftovers, and parts of images that were not used for image_cache_stall_time"
    add_command(group, "clean", _clean, text=text, example="cache clean", question=None)
    text = "remove the longest unused images until the others are within image_cache_max_size"
    add_command(group, "prune", _prune, text=text, example="cache prune", question=None)


def _list(arguments: argparse.Namespace) -> Rows:
    with _cache(arguments) as (_, _, cache):
        hits, queued = cache.catalog.hits(), cache.catalog.queued()
        kept = sorted(cache.directory.list(), key=lambda each: each.used_at, reverse=True)
    rows: list[tuple[object, ...]] = [
        (
            each.image_id,
            "cached" if each.is_complete else "partial",
            each.size,
            each.cached,
            hits.get(each.image_id, 0),
            datetime.fromtimestamp(each.used_at, UTC).replace(tzinfo=None),
        )
        for each in kept
    ]
    rows += [(image_id, "queued", None, 0, hits.get(image_id, 0), None) for image_id in queued]
    return Rows(_COLUMNS, rows)


def _stats(arguments: argparse.Namespace) -> Record:
    with _cache(arguments) as (_, _, cache):
        kept, hits, queued = cache.directory.list(), cache.catalog.hits(), cache.catalog.queued()
        used = sum(each.disk for each in kept)
        return Record(
            {
                "directory": str(cache.directory.path),
                "max_size": cache.directory.limit,
                "used": used,
                "used_percent": round(100 * used / cache.directory.limit, 1),
                "images": sum(each.is_complete for each in kept),
                "partial_images": sum(not each.is_complete for each in kept),
                "queued_images": len(queued),
                "hits": sum(hits.values()),
            }
        )


def _queue(arguments: argparse.Namespace) -> Record:
    with _cache(arguments) as (_, data, cache):
        image = data.run(LoadImage(arguments.id))
        if image.status != "active":
            raise Invalid(reason=f"Image {image.id} is {image.status}; only active images can be cached.")
        cache.queue(image.id)
        return Record({"queued_images": len(cache.catalog.queued())})


def _delete(arguments: argparse.Namespace) -> Record:
    with _cache(arguments) as (_, _, cache):
        ids = frozenset({arguments.id})
        removed, unqueued = cache.remove(ids), cache.catalog.unqueue(ids)
    if not removed and not unqueued:
        raise NotFound(kind="cached or queued image", id=arguments.id)
    return Record({"cached_images": len(removed), "queued_images": unqueued})


def _clear(arguments: argparse.Namespace) -> Record:
    with _cache(arguments) as (_, _, cache):
        return Record({"cached_images": len(cache.remove(None)), "queued_images": cache.catalog.unqueue(None)})


def _clean(arguments: argparse.Namespace) -> Record:
    with _cache(arguments) as (conf, _, cache):
        return Record({"removed": cache.clean(conf.image_cache_stall_time, time.time())})


def _prune(arguments: argparse.Namespace) -> Record:
    with _cache(arguments) as (_, _, cache):
        pruned = cache.prune()
    return Record({"images": pruned.images, "bytes": pruned.size})


@contextmanager
def _cache(arguments: argparse.Namespace) -> Iterator[tuple[cfg.ConfigOpts, DataAccess, "ImageCache"]]:
    from glance_mini.bootstrap import open_cache

    conf = load_configuration(arguments)
    validate(conf)
    with open_data(conf) as data, ExitStack() as undo:
        cache = open_cache(conf, data, Metrics(), undo)
        if cache is None:
            raise Invalid(reason="This node has no cache: image_cache_dir is not set.")
        yield conf, data, cache
