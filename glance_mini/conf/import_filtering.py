"""Options of [import_filtering_opts]: from where the service may fetch data for its users (api-imports-addresses)."""

from copy import deepcopy

from oslo_config import cfg, types

GROUP = cfg.OptGroup(
    "import_filtering_opts",
    help="Where users may let the service fetch data from. Of an allowed and a disallowed list only the allowed one "
    "counts where both are set. Every redirect is checked as well.",
)

_PORT = types.Integer(min=1, max=65535)

OPTS = [
    cfg.ListOpt(
        "allowed_schemes",
        default=["http", "https"],
        help="Schemes that addresses may have; only these two are spoken.",
    ),
    cfg.ListOpt("disallowed_schemes", default=[], help="Schemes that addresses may not have."),
    cfg.ListOpt(
        "allowed_hosts",
        default=[],
        help="The hosts that may be named: names, addresses, and networks in CIDR notation. Empty: any public one. "
        "Addresses of private, loopback, link-local and other networks that are not public, those of cloud "
        "metadata services among them, are refused unless the host's name, its address or a network that has no "
        "public address stands here; a network such as ``0.0.0.0/0`` therefore means the public part of it."
        "\n\nExample, the internet and one mirror inside: ``0.0.0.0/0,::/0,mirror.example.org``",
    ),
    cfg.ListOpt(
        "disallowed_hosts",
        default=[],
        help="Hosts that may not be named, besides those that are refused by default: names, addresses, and networks "
        "in CIDR notation.",
    ),
    cfg.ListOpt(
        "allowed_ports",
        item_type=_PORT,
        default=[80, 443],
        help="Ports that an address may name. One that names none passes.",
    ),
    cfg.ListOpt("disallowed_ports", item_type=_PORT, default=[], help="Ports that an address may not name."),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
