"""Options of [task]: the records of jobs, which the API shows as tasks."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("task", help="Tasks: what the API shows of jobs.")

OPTS = [
    cfg.IntOpt(
        "task_time_to_live",
        default=48,
        min=0,
        help="Hours that the record of a task stays after its end.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
