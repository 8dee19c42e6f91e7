"""Options of [task]: jobs as the API shows them, and their directory."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("task", help="Tasks: jobs as the API shows them, and their directory.")

OPTS = [
    cfg.IntOpt(
        "task_time_to_live",
        default=48,
        min=0,
        help="Hours for which the record of a task is kept after its end.",
    ),
    cfg.StrOpt(
        "work_dir",
        default="/var/lib/glance-mini/work",
        help="Directory for temporary files of workers, such as an image that is converted. It is best on the file "
        "system of a store, and must be readable by the service only.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
