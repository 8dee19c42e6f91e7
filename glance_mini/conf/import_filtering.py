"""Options of [import_filtering_opts]: the servers from which users may import data (api-imports-addresses)."""

from copy import deepcopy

from oslo_config import cfg, types

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup(
    "import_filtering_opts",
    help="The servers from which users may import data. If an allowed and a disallowed list are both set, only the "
    "allowed one counts. Every redirect is checked as well.",
)

_PORT = types.Integer(min=1, max=65535)

OPTS = [
    ListOpt(
        "allowed_schemes",
        default=["http", "https"],
        help="Schemes that URLs may have; the service supports only these two.",
    ),
    ListOpt("disallowed_schemes", default=[], help="Schemes that URLs may not have."),
    ListOpt(
        "allowed_hosts",
        default=[],
        help="Allowed hosts: names, addresses, and networks in CIDR notation. Empty: any public host. "
        "Addresses of private, loopback, link-local and other networks that are not public, including cloud "
        "metadata services, are refused unless this list has the host's name, its address or a network without "
        "public addresses. A network such as ``0.0.0.0/0`` therefore allows only its public addresses."
        "\n\nExample, the internet and one internal mirror: ``0.0.0.0/0,::/0,mirror.example.org``",
    ),
    ListOpt(
        "disallowed_hosts",
        default=[],
        help="Hosts that are refused in addition to those refused by default: names, addresses, and networks "
        "in CIDR notation.",
    ),
    ListOpt(
        "allowed_ports",
        item_type=_PORT,
        default=[80, 443],
        help="Ports that a URL may name. A URL without a port is allowed.",
    ),
    ListOpt("disallowed_ports", item_type=_PORT, default=[], help="Ports that a URL may not name."),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
