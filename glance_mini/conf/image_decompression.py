"""Options of [image_decompression]: how far the import plugin ``image_decompression`` unpacks."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("image_decompression", help="Decompression of imported images.")

OPTS = [
    cfg.IntOpt(
        "max_size",
        default=0,
        min=0,
        help="The largest size in bytes that data may unpack to, 0 for no other limit than ``image_size_cap``. "
        "Unpacking stops as soon as it is passed.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
