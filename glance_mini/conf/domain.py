"""Options of [domain]: which layers an operation passes."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("domain", help="The layers between the API and the database.")

OPTS = [
    ListOpt(
        "layers",
        default=["auth", "notifier", "policy", "quota", "location", "database"],
        help="The layers that every operation passes, outermost first: names of the entry-point group "
        "``glance_mini.layers``. ``auth``, ``policy`` and ``database`` must be among them. "
        "``property_protection`` is inserted after ``auth`` if ``property_protection_file`` "
        "is set; name it to have it elsewhere. ``glance-mini-manage layers`` shows the resulting "
        "list.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
