"""Options of [uploads]: uploads that may break off and go on (api-uploads)."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("uploads", help="Uploads that may break off and go on, by the protocol tus 1.0.")

OPTS = [
    cfg.IntOpt(
        "expire_seconds",
        default=172800,
        min=60,
        help="Seconds after its last byte for which an upload can go on. Then what was sent is removed.",
    ),
    cfg.IntOpt(
        "sessions_per_image",
        default=32,
        min=-1,
        help="The most open uploads of one image, the parts of an upload included. 0 allows none, -1 any number.",
    ),
    cfg.IntOpt(
        "sessions_per_project",
        default=100,
        min=-1,
        help="The most open uploads of one project, the parts of uploads included. 0 allows none, -1 any number.",
    ),
    cfg.IntOpt(
        "keep_free_mib",
        default=1024,
        min=0,
        help="MiB on the disk of the staging area that uploads leave free. An upload for which there would be no room "
        "beside those that are open already is refused before its first byte.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
