"""Options of [registry_service]: the service that answers data calls of nodes that have no database."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "registry_service",
    help="The registry service, glance-mini-registry. It answers data calls of API and worker nodes from the database "
    "in [database].",
)

OPTS = [
    cfg.StrOpt(
        "bind",
        default="127.0.0.1:9191",
        help="Address and port to listen on; an IPv6 address stands in square brackets.",
    ),
    cfg.IntOpt("workers", default=2, min=1, help="Processes that answer calls."),
    cfg.IntOpt(
        "threads",
        default=64,
        min=2,
        help="Calls that one process answers at once; further ones wait.",
    ),
    cfg.IntOpt(
        "keepalive",
        default=75,
        min=1,
        help="Seconds that an idle connection of a node is kept open.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        default=30,
        min=0,
        help="Seconds that running calls have to end when the service is stopped.",
    ),
    cfg.StrOpt("certificate", help="File of the registry's certificate in PEM, with the name by which nodes reach it."),
    cfg.StrOpt("key", help="File of the private key in PEM that belongs to ``certificate``."),
    cfg.StrOpt(
        "client_ca",
        help="File of the authority in PEM that has signed the certificates of the nodes. Others cannot connect.",
    ),
    cfg.StrOpt(
        "client_crl",
        help="File in PEM of the certificates that the authority has revoked (a revocation list, RFC 5280). "
        "Nodes with one of them cannot connect. The file is read again when it changes, and must not be older than the "
        "list itself allows: an expired list refuses all nodes.",
    ),
    cfg.MultiStrOpt(
        "node_roles",
        default=[],
        mutable=True,
        help="Roles of single nodes, in place of those in their certificates: the common name of the subject, a colon, "
        "and roles out of ``api``, ``worker``, ``readonly`` and ``migrate``. A node without roles is refused. May be "
        "repeated. SIGHUP lets a running registry read it again."
        "\n\nExamples: ``api1.example.org: api worker``, ``stolen.example.org:``",
    ),
    cfg.IntOpt(
        "max_call_mib",
        default=32,
        min=1,
        help="The longest call in MiB. A longer one is refused before it is read.",
    ),
    cfg.IntOpt(
        "keep_keys",
        default=3600,
        min=60,
        help="Seconds for which a write is recognised that a node repeats because it got no answer. It must be longer "
        "than ``[registry] timeout`` of the nodes.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
