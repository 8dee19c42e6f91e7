"""Options of [image_import_opts]: what is done to imported data before it is stored, and in how many stores at once."""

from copy import deepcopy

from oslo_config import cfg, types

from glance_mini.conf.images import BracketedList

GROUP = cfg.OptGroup("image_import_opts", help="What happens to the data of an import.")


class PluginList(BracketedList):
    """Names of plugins, with or without square brackets around the list and quotes around the names."""

    def __init__(self) -> None:
        types.List.__init__(self, item_type=types.String(quotes=True), type_name="list value")


OPTS = [
    cfg.Opt(
        "image_import_plugins",
        type=PluginList(),
        default=[],
        help="The plugins that imported data passes, in this order: names of the entry-point group "
        "``glance_mini.image_imports.plugins``. Not for copy-image. Name ``image_decompression`` before "
        "``image_conversion``."
        "\n\nShipped: ``no_op``, ``inject_image_metadata``, ``image_decompression``, ``image_conversion``",
    ),
    cfg.IntOpt(
        "max_parallel_stores",
        default=1,
        min=1,
        help="To how many stores an import writes at once. The data is read once for all of them.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
