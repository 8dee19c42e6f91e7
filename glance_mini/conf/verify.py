"""Options of [verify]: the verification of stored data."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("verify", help="The verification of stored data, which reads it again and compares it.")

OPTS = [
    cfg.IntOpt(
        "interval",
        default=0,
        min=0,
        help="Seconds from the beginning of a verification of all stores to that of the next one, which a worker runs "
        "as a job of the kind ``verify``. 0: none is run unless somebody asks for it.",
    ),
    cfg.IntOpt(
        "rate",
        default=32 * 1024 * 1024,
        min=0,
        help="The most bytes a second that a verification reads; the bytes of a repair count too. 0: no limit.",
    ),
    cfg.BoolOpt(
        "repair",
        default=False,
        help="Whether a verification that ``interval`` has begun replaces broken data by a good copy from another "
        "store. It never deletes objects that no image knows.",
    ),
    cfg.IntOpt(
        "safe_age",
        default=24 * 3600,
        min=3600,
        help="Seconds since its last change after which an object that no image knows may be deleted, where an "
        "operator asks for it. It must be longer than any upload or import takes.",
    ),
    cfg.IntOpt(
        "max_findings",
        default=10_000,
        min=1,
        max=1_000_000,
        help="The most findings that are kept in the database. Further ones are counted and logged only.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
