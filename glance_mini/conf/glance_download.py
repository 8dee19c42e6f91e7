"""Options of [glance_download_properties]: the properties that are copied from another image service."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("glance_download_properties", help="Import from another image service (glance-download).")

OPTS = [
    ListOpt(
        "extra_properties",
        default=["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
        help="Prefixes of the custom properties that are copied from the source, in addition to the formats.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
