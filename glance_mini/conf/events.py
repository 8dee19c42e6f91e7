"""Options of [events]: the log of events, and the clients that follow it (api-events)."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("events", help="The log of events, and the clients that follow it by GET /v2/events.")

OPTS = [
    cfg.BoolOpt(
        "log",
        default=True,
        help="Store the events of each change in the database, in its transaction, for clients that follow changes by "
        "``GET /v2/events``. Without it that call is answered with 404. All services on one database need the same "
        "value, a registry too.",
    ),
    cfg.IntOpt(
        "keep",
        default=900,
        min=60,
        help="Seconds for which the log keeps an event. Workers remove older ones every ten minutes.",
    ),
    cfg.FloatOpt(
        "interval",
        default=1.0,
        min=0.1,
        help="Seconds between two looks of a process at the log, while it has listeners. One look is one or two "
        "statements.",
    ),
    cfg.IntOpt(
        "max_listeners",
        default=1000,
        min=0,
        help="Clients that may follow the events of one process. A further one is refused with 503. Each takes an open "
        "file, some KiB of memory and no thread.",
    ),
    cfg.IntOpt(
        "max_listeners_per_caller",
        default=20,
        min=0,
        help="Clients of one user in one project that may follow the events of one process. A further one is refused "
        "with 503. Callers without a user may have half of ``max_listeners`` together.",
    ),
    cfg.IntOpt(
        "max_pending_bytes",
        default=256 * 1024,
        min=4096,
        advanced=True,
        help="Bytes that wait for one client that does not read; clients share the texts that wait for several. A "
        "client with more is dropped, as is one that takes nothing for 30 seconds; it may come back and go on where it "
        "was.",
    ),
    cfg.IntOpt(
        "heartbeat",
        default=15,
        min=1,
        help="Seconds after which a client gets a comment, so that it and a proxy see that the connection is alive.",
    ),
    cfg.IntOpt(
        "check_interval",
        default=30,
        min=1,
        help="Seconds after which the credentials of a client are checked again. A client whose token has expired or "
        "was revoked is dropped within twice this time.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
