"""Options of [image_conversion]: the format that the import plugin ``image_conversion`` makes, and its limits."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("image_conversion", help="Conversion of imported images by qemu-img.")

OPTS = [
    cfg.StrOpt(
        "output_format",
        default="raw",
        choices=["raw", "qcow2", "vmdk"],
        help="The ``disk_format`` that imported images are converted to.",
    ),
    cfg.IntOpt("timeout", default=7200, min=1, help="Seconds after which a conversion is aborted."),
    cfg.IntOpt(
        "cpu_seconds",
        default=3600,
        min=1,
        help="Seconds of processor time that one conversion may use.",
    ),
    cfg.IntOpt(
        "memory_mib",
        default=1024,
        min=256,
        help="Address space in MiB that one conversion may use.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
