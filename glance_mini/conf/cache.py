"""Options of [cache]: the background work on the cache of image data of a node."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("cache", help="The work on the cache of a node; ``image_cache_dir`` switches the cache on.")

OPTS = [
    ListOpt(
        "prefetch",
        default=[],
        help="Which images the node fetches into free room of its cache without being asked, the most wanted first."
        "\n\n* ``public``: all public images, the newest first"
        "\n* ``tag:NAME``: images with a tag"
        "\n* ``popular:NUMBER``: those that caches answered most often; with ``centralized_db``, of all nodes together"
        "\n\nExample: ``tag:golden, popular:20``",
    ),
    cfg.IntOpt(
        "prefetch_interval",
        default=300,
        min=1,
        help="Seconds between two looks for images that the rules name.",
    ),
    cfg.IntOpt(
        "max_unused",
        default=0,
        min=0,
        help="Seconds after which an image that nobody reads is removed; 0: only when room is needed.",
    ),
    cfg.IntOpt(
        "check_interval",
        default=5,
        min=1,
        help="Seconds between two checks for images that were deleted or deactivated, for too many bytes, and for "
        "queued images. Such an image is never served, however long this is: it only occupies room.",
    ),
    cfg.IntOpt(
        "max_fills",
        default=8,
        min=1,
        help="How many reads of stores one process may run at once to fill the cache, each with a thread and up to "
        "5 MiB of memory. Further images are read from their stores without being cached.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
