"""Options of [web_download]: how much and how long the service fetches from other servers."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("web_download", help="Limits of downloads from web servers and other image services.")

OPTS = [
    cfg.IntOpt(
        "max_size",
        default=0,
        min=0,
        help="The largest download in bytes, 0 for no other limit than ``image_size_cap``.",
    ),
    cfg.IntOpt(
        "total_timeout",
        default=86400,
        min=1,
        help="Seconds that one download may take, including the waits between its attempts.",
    ),
    cfg.IntOpt(
        "idle_timeout",
        default=60,
        min=1,
        help="Seconds to wait for a connection, and for the next bytes.",
    ),
    cfg.IntOpt(
        "minimum_rate",
        default=100 * 1024,
        min=0,
        help="Bytes per second that a server must send, averaged over ``rate_window``, while the service waits "
        "for it: a slow server holds a job of its project. 0 allows any rate.",
    ),
    cfg.IntOpt("rate_window", default=60, min=1, help="Seconds over which ``minimum_rate`` is measured."),
    cfg.IntOpt(
        "retries",
        default=5,
        min=0,
        help="How often a download is restarted or resumed without any progress in between. It is resumed by "
        "Range if the server sends an ETag or Last-Modified, which proves that the data is the same.",
    ),
    cfg.IntOpt(
        "retry_delay",
        default=2,
        min=0,
        help="Seconds to wait before the first further attempt; each one after it waits twice as long, up to 30.",
    ),
    cfg.StrOpt(
        "ca_certificates_file",
        help="PEM file with the CA certificates that servers are checked against. Unset: those of the system.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
