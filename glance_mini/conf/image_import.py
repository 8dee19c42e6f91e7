"""Options of [image_import_opts]: the processing of imported data, and to how many stores it is written at once."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("image_import_opts", help="What happens to the data of an import.")


OPTS = [
    ListOpt(
        "image_import_plugins",
        default=[],
        help="The plugins that imported data passes, in this order: names of the entry-point group "
        "``glance_mini.image_imports.plugins``. copy-image uses none. Name ``image_decompression`` before "
        "``image_conversion``."
        "\n\nShipped: ``no_op``, ``inject_image_metadata``, ``image_decompression``, ``image_conversion``",
    ),
    cfg.IntOpt(
        "max_parallel_stores",
        default=0,
        min=0,
        help="The number of stores to which an import writes at once; 0 for all. Data is fetched only once: beyond "
        "the limit it is read again from a local file, or from a store that already has it.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
