"""Options of [direct_access]: ways to image data without credentials of this service."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("direct_access", help="Ways to the data of images without credentials of this service.")

OPTS = [
    cfg.IntOpt(
        "link_seconds",
        default=900,
        min=1,
        help="Seconds for which a link to the data of an image works, if its maker does not say.",
    ),
    cfg.IntOpt(
        "max_link_seconds",
        default=3600,
        min=1,
        help="The most seconds for which a link works. It ends earlier with its image, or when its maker may not "
        "download the image any more; only a role that Keystone has taken from its maker counts until then.",
    ),
    cfg.IntOpt(
        "links_per_project",
        default=100,
        min=-1,
        help="The most links of one project that work at the same time. 0 allows none, -1 any number.",
    ),
    cfg.BoolOpt(
        "uploads",
        default=False,
        help="Give out links by which data is sent to an ``s3`` store directly. It is no data of an image before a job "
        "has copied it inside the store, and has read and checked that copy.",
    ),
    cfg.IntOpt(
        "upload_grace",
        default=3600,
        min=60,
        help="Seconds after the end of a link for an upload in which the upload can still be completed. After them "
        "what was sent is removed.",
    ),
    cfg.BoolOpt(
        "downloads",
        default=False,
        help="Answer downloads of clients that ask for it with a redirection to the store, if that is an ``s3`` store, "
        "or a ``swift`` store with ``swift_store_temp_url_key``. The address shows the client where the store is and "
        "how the data is called there, with ``s3`` also the access key without its secret.",
    ),
    cfg.IntOpt(
        "download_seconds",
        default=300,
        min=1,
        max=604800,
        help="Seconds for which the address of such a redirection works. A download that has begun goes on.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
