"""Options of [transfers]: the memory of transfers, the leases of uploads, and the cleanup after a process that died."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("transfers", help="The memory of transfers, and the leases of uploads in flight.")

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
    cfg.IntOpt(
        "memory_mib",
        default=256,
        min=64,
        help="Memory in MiB that the transfers and jobs of one process hold at once. An upload takes 4 MiB, and so "
        "does a download that is not sent from a file; a job takes 16 MiB, and more while it unpacks data.",
    ),
    cfg.IntOpt(
        "memory_wait",
        default=10,
        min=0,
        help="Seconds that a transfer waits for its memory; then the answer is 503 with ``Retry-After``. Jobs wait "
        "longer.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
