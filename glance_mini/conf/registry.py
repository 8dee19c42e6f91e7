"""Options of [registry]: how a node without a database reaches the data, through the registry service."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup(
    "registry",
    help="How this node reaches the data through the registry service; used with [database] data_access = registry.",
)

OPTS = [
    ListOpt(
        "endpoints",
        default=[],
        help="Addresses of the registries in the order of preference. A call goes to the first one that answers."
        "\n\nExample: ``https://registry1:9191,https://registry2:9191``",
    ),
    cfg.StrOpt("certificate", help="File of this node's certificate in PEM. Its subject names the node and its roles."),
    cfg.StrOpt("key", help="File of the private key in PEM that belongs to ``certificate``."),
    cfg.StrOpt("ca_file", help="File of the authority in PEM that has signed the certificates of the registries."),
    cfg.FloatOpt(
        "timeout",
        default=30,
        min=1,
        help="Seconds in which a call must be answered, with all its repetitions. Then the request that needs it is "
        "answered with 503.",
    ),
    cfg.FloatOpt(
        "attempt_timeout",
        default=4,
        min=0.1,
        help="Seconds that one registry has to answer before the next one is asked. When all were asked, the rest of "
        "``timeout`` is left to the first one that answers.",
    ),
    cfg.FloatOpt(
        "connect_timeout",
        default=2,
        min=0.1,
        help="Seconds in which a connection to a registry must be made.",
    ),
    cfg.FloatOpt(
        "reach_timeout",
        default=10,
        min=0,
        help="Seconds for which a call looks for a registry while none can be reached, for example because the only "
        "one is being restarted. A call that no registry has taken ends then.",
    ),
    cfg.FloatOpt(
        "retry_after",
        default=5,
        min=0,
        help="Seconds for which a registry that did not answer is asked after the others.",
    ),
    cfg.IntOpt(
        "max_connections",
        default=64,
        min=1,
        help="Connections that one process keeps open to each registry. It should not be less than "
        "``[server] threads``.",
    ),
    cfg.IntOpt(
        "max_answer_mib",
        default=256,
        min=1,
        help="The longest answer of a registry in MiB. A longer one is not read, and the request that needs it is "
        "answered with 503.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
