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
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
