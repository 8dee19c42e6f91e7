"""Options in [DEFAULT] of the cache of image data of a node."""

from oslo_config import cfg

GROUP = None

CENTRALIZED_DB, SQLITE, XATTR = "centralized_db", "sqlite", "xattr"

OPTS = [
    cfg.StrOpt(
        "image_cache_dir",
        help="The directory in which this node keeps image data that was read from the stores, on a disk of its own if "
        "possible. Unset: no cache. Each node has its own directory; a network file system is no place for it."
        "\n\nExample: ``/var/lib/glance/image-cache``",
    ),
    cfg.StrOpt(
        "image_cache_driver",
        default=CENTRALIZED_DB,
        choices=[
            (
                CENTRALIZED_DB,
                "in the database of the service, under the name ``worker_self_reference_url``; where neither that nor "
                "this option is set, as with ``sqlite``",
            ),
            (SQLITE, "in a file on the node"),
            (XATTR, "the same as ``sqlite``, for configurations of older releases"),
        ],
        help="Where hits, times and the queue of the cache are recorded.",
    ),
    cfg.IntOpt(
        "image_cache_max_size",
        default=10 * 1024**3,
        min=1024**2,
        help="The bytes that the cache of this node may occupy. The longest unused images make room for others; an "
        "image that is larger than the whole cache is not cached.",
    ),
    cfg.IntOpt(
        "image_cache_stall_time",
        default=86_400,
        min=0,
        help="Seconds after which an image of which only a part is cached is removed, if nobody has read it since.",
    ),
    cfg.StrOpt(
        "image_cache_sqlite_db",
        default="cache.db",
        help="The file of the driver ``sqlite``: a name in ``image_cache_dir``, or an absolute path.",
    ),
]


def is_central(conf: cfg.ConfigOpts) -> bool:
    """Tell whether the caches of all nodes are recorded in the database of the service.

    A node without a name keeps its own records, unless the operator names the driver: then the start is refused.
    """
    is_named = conf.get_location("image_cache_driver").location is not cfg.Locations.opt_default
    return conf.image_cache_driver == CENTRALIZED_DB and bool(is_named or conf.worker_self_reference_url)


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
