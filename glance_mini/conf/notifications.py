"""Options of [notifications]: the delivery of an event from a request to the broker.

The driver and the broker's URL are options of oslo.messaging ([oslo_messaging_notifications]).
"""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("notifications", help="How notifications travel from a request to the message broker.")

OPTS = [
    cfg.StrOpt(
        "delivery",
        default="direct",
        choices=[
            ("direct", "through a queue in the memory of the process, emptied by a thread"),
            ("outbox", "through the database, stored with the change and published by the workers"),
        ],
        help="How notifications leave the service. No request ever waits for the broker. With ``outbox`` none is lost, "
        "but some may arrive twice; a worker must run.",
    ),
    cfg.IntOpt(
        "queue_size",
        default=10000,
        min=1,
        help="How many notifications may wait in the memory of one process while the broker is slow or "
        "down. Further ones are dropped, counted and logged. Not used with ``delivery = outbox``.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
