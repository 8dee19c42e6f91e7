"""Options of [transfers]: the leases of uploads in flight, and the cleanup after a process that died."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("transfers", help="Uploads in flight and the leases that they hold.")

OPTS = [
    cfg.IntOpt(
        "lease_seconds",
        default=60,
        min=3,
        help="Seconds after which the upload of a process that does not renew its lease is taken over: its "
        "bytes are removed and the image is queued again. A running process renews its leases long "
        "before.",
    ),
    cfg.IntOpt(
        "reaper_interval",
        default=20,
        min=1,
        help="Seconds between two checks for expired leases and pending deletions of data.",
    ),
    cfg.IntOpt(
        "reserve_step_mib",
        default=64,
        min=1,
        help="The steps in MiB in which an upload of unknown size reserves quota of its project. "
        "Larger steps mean fewer statements and an earlier refusal close to the limit.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
