"""Options of the API as a whole: pages, the URLs of the service, anonymous callers."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.IntOpt(
        "limit_param_default",
        default=25,
        min=1,
        help="The number of images of a page if the client gives no ``limit``.",
    ),
    cfg.IntOpt(
        "api_limit_max",
        default=1000,
        min=1,
        help="The largest number of images of a page. A larger ``limit`` is not an error and gives this many.",
    ),
    cfg.IntOpt(
        "max_searched_images",
        default=10_000,
        min=1,
        help="The number of images at which one request looks for a part of a name (``name=contains:``). A page "
        "ends there, with a link to the next one.",
    ),
    cfg.StrOpt(
        "public_endpoint",
        help="The URL at which clients reach the service, for the links in the list of versions. "
        "Unset: the URL of the request. Set it if a proxy ends TLS or rewrites "
        "paths."
        "\n\nExample: ``https://images.example.org``",
    ),
    cfg.StrOpt(
        "worker_self_reference_url",
        help="The URL at which the other nodes of the service reach this one, for imports of data that was "
        "staged on this node's own disk. Unset: that of ``public_endpoint``. If neither is set, the "
        "node works alone and forwards no requests."
        "\n\nExample: ``https://node1.images.example.org:9292``",
    ),
    cfg.BoolOpt(
        "allow_anonymous_access",
        default=False,
        help="Accept callers without credentials, as readers without a project and a role. "
        "The default policy rules need a role even for reading, so this has an effect only with "
        "rules changed in the policy file.",
    ),
    cfg.IntOpt(
        "max_request_id_length",
        default=64,
        min=0,
        help="The largest number of characters of a client's request id. A longer one is refused with 431.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
