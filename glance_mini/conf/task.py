"""Options of [task]: jobs as the API shows them, and where they work."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("task", help="Tasks: what the API shows of jobs, and where these work.")

OPTS = [
    cfg.IntOpt(
        "task_time_to_live",
        default=48,
        min=0,
        help="Hours that the record of a task stays after its end.",
    ),
    cfg.StrOpt(
        "work_dir",
        default="/var/lib/glance-mini/work",
        help="Directory for files that a worker makes on the way, such as an image that is converted. Best on the file "
        "system of a store, and for nobody else to read.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
