"""Options of [paste_deploy]: how callers prove who they are, and the file that composes the middleware."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("paste_deploy", help="The pipeline in front of the application.")

NO_AUTHENTICATION = "none"
"""The flavour in which every caller is an administrator."""

OPTS = [
    cfg.StrOpt(
        "flavor",
        default="token",
        help="The pipeline to run."
        "\n\n* ``token``: tokens from ``[authentication] users_file``"
        "\n* ``basic``: user names and passwords from the same file, by HTTP basic authentication"
        "\n* ``keystone``: tokens of Keystone, see ``[keystone_authtoken]``"
        "\n* ``none``: no authentication, every caller is an administrator; refused beyond the "
        "loopback interface"
        "\n\n``+caching`` and ``+cachemanagement`` after one of them, as in ``keystone+cachemanagement``, mean the "
        "same pipeline and demand that ``image_cache_dir`` is set, which alone switches the cache on."
        "\n\nA custom paste file may offer further ones.",
    ),
    cfg.StrOpt(
        "config_file",
        help="A paste file to use instead of the one that comes with the service.",
    ),
]


CACHE_SUFFIXES = ("+cachemanagement", "+caching")
"""Endings of flavours by which operators ask for the cache; they choose no other pipeline."""


def authentication(conf: cfg.ConfigOpts) -> str:
    """Return the flavour without what it says about the cache."""
    flavor: str = conf.paste_deploy.flavor
    return flavor.removesuffix(cache_suffix(conf))


def cache_suffix(conf: cfg.ConfigOpts) -> str:
    """Return the ending of the flavour that asks for the cache; empty without one."""
    flavor: str = conf.paste_deploy.flavor
    return next((suffix for suffix in CACHE_SUFFIXES if flavor.endswith(suffix)), "")


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
