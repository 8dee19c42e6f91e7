"""Options of deletion: whether it can be undone for a while.

Options of a separate scrubber are accepted and have no effect, because workers delete each image by a job.
"""

from oslo_config import cfg

GROUP = None

WEEK = 7 * 24 * 3600

_MEANS_NOTHING: dict[str, object] = {
    "deprecated_for_removal": True,
    "deprecated_since": "0.1.0",
    "deprecated_reason": "It has no effect: workers delete each image by a job of its own, after ``scrub_time``.",
}

OPTS = [
    cfg.BoolOpt(
        "delayed_delete",
        default=False,
        help="Keep the data of a deleted image for ``scrub_time``, so that it can be restored, by its project or by an "
        "operator. Only lists of deleted images show it, and only its bytes count, see ``quota_counts_deleted``.",
    ),
    cfg.IntOpt(
        "scrub_time",
        default=WEEK,
        min=0,
        help="Seconds from the deletion of an image to that of its data, with ``delayed_delete``. The job that removes "
        "the data, of the kind ``scrub``, is made at the deletion. 0: a worker deletes images at once, and none can be "
        "restored.",
    ),
    cfg.IntOpt(
        "wakeup_time",
        default=300,
        **_MEANS_NOTHING,
        help="Seconds between two rounds of a scrubber.",
    ),
    cfg.IntOpt(
        "scrub_pool_size",
        default=1,
        **_MEANS_NOTHING,
        help="Images that a scrubber deletes at once. Workers have ``[workers] threads`` instead.",
    ),
    cfg.BoolOpt(
        "daemon",
        default=False,
        **_MEANS_NOTHING,
        help="Whether a scrubber goes on after one round.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
