"""Options of deletion: whether it can be undone for a while (reference 22.1)."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.BoolOpt(
        "delayed_delete",
        default=False,
        help="Keep the data of a deleted image for ``scrub_time``, so that an operator can restore it. Nobody sees the "
        "image any more, and it counts for no limit.",
    ),
    cfg.IntOpt(
        "scrub_time",
        default=0,
        min=0,
        help="Seconds from the deletion of an image to that of its data, with ``delayed_delete``.",
    ),
    cfg.IntOpt(
        "wakeup_time",
        default=300,
        min=1,
        help="Seconds between two looks of a worker for images whose ``scrub_time`` is over.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
