"""Options of [inject_metadata_properties]: what the import plugin ``inject_image_metadata`` adds."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("inject_metadata_properties", help="Properties that every imported image gets.")

OPTS = [
    ListOpt(
        "ignore_user_roles",
        default=["admin"],
        help="A caller with one of these roles imports without the injected properties.",
    ),
    cfg.DictOpt(
        "inject",
        default={},
        help="The properties and their values; they replace those that the image already has."
        "\n\nExample: ``source:import,reviewed:no``",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
