"""Options of [workers]: the processes that run jobs, which are too long for a request."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("workers", help="Workers: the processes that run jobs, which are too long for a request.")

EMBEDDED_POLL_INTERVAL = 1.0
"""The default of ``poll_interval`` for the worker inside ``glance-mini serve``, whose database is near."""

OPTS = [
    cfg.IntOpt("threads", default=4, min=1, help="Jobs that one worker runs at once, apart from quick ones."),
    cfg.IntOpt(
        "quick_threads",
        default=2,
        min=1,
        help="Quick jobs that one worker runs at once: deletions for good, and copies within one file system. They "
        "have threads of their own, so that they never wait behind slow jobs.",
    ),
    cfg.IntOpt(
        "lease_seconds",
        default=60,
        min=2,
        help="Seconds after which a job of a worker that does not renew its lease is taken over by another one, which "
        "continues from the last checkpoint. A running worker renews its leases long before.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=5.0,
        min=0.1,
        help="Seconds between two polls of an idle worker for new jobs. A worker that is woken, see ``wakeup``, does "
        "not wait for the next one. The worker inside ``glance-mini serve`` polls every second unless this is set.",
    ),
    cfg.StrOpt(
        "wakeup",
        choices=[
            ("messaging", "by a message through the broker that ``transport_url`` names"),
            ("poll", "not at all; the worker inside ``glance-mini serve`` is woken by its own service"),
        ],
        help="How workers learn that there is a new job. Unset: by the broker if ``transport_url`` is set. A "
        "broker that is down delays a job by no more than ``poll_interval``.",
    ),
    cfg.IntOpt(
        "jobs_per_project",
        min=0,
        help="Jobs of one project that run at once on all workers together; quick jobs are counted apart. 0: any "
        "number. Unset: half of ``threads``, and of ``quick_threads`` for quick jobs, but at least 1.",
    ),
    cfg.IntOpt(
        "jobs_per_store",
        min=1,
        help="Jobs that write to one store at once on all workers together. Unset: any number.",
    ),
    cfg.DictOpt(
        "priorities",
        default={},
        help="The priority of new jobs by kind, instead of the default of their type; higher ones come first."
        "\n\nExample: ``api_image_import:10,location_import:-5``",
    ),
    cfg.IntOpt(
        "max_attempts",
        min=1,
        help="How often a job is tried after temporary errors, with a growing delay. Unset: as often as its type says.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        default=30,
        min=0,
        help="Seconds that running jobs have to stop and be handed back when a worker is stopped.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
