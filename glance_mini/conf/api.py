"""Options of the API as a whole: pages, the addresses of the service, anonymous callers."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.IntOpt(
        "limit_param_default",
        default=25,
        min=1,
        help="How many images a page of a list holds when the client names no ``limit``.",
    ),
    cfg.IntOpt(
        "api_limit_max",
        default=1000,
        min=1,
        help="The most images a page can hold. A larger ``limit`` is no error and gives this many.",
    ),
    cfg.StrOpt(
        "public_endpoint",
        help="The address under which clients reach the service, for the links in the list of versions. "
        "Unset: the address that the request came in on. Set it where a proxy ends TLS or rewrites "
        "paths."
        "\n\nExample: ``https://images.example.org``",
    ),
    cfg.StrOpt(
        "worker_self_reference_url",
        help="The address under which the other nodes of the service reach this one, for imports of data that was "
        "staged on this node's own disk. Unset: that of ``public_endpoint``. Where neither is set, the "
        "node takes no part in forwarding and works alone."
        "\n\nExample: ``https://node1.images.example.org:9292``",
    ),
    cfg.BoolOpt(
        "allow_anonymous_access",
        default=False,
        help="Let callers without credentials in, as readers who belong to no project and have no role. "
        "The default policy rules want a role even for reading, so this has an effect only with "
        "rules changed in the policy file.",
    ),
    cfg.IntOpt(
        "max_request_id_length",
        default=64,
        min=0,
        help="Characters that a client's request id may have. A longer one is refused with 431.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
