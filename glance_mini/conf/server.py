"""Options of [server]: the address of ``glance-mini serve`` and how much work it does at once.

Other WSGI servers have their own settings for all but the limits of the application.
"""

import ipaddress
from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.buffers import MIB, TRANSFER

GROUP = cfg.OptGroup("server", help="The address of glance-mini serve, and how much work it does at once.")

THREADS_FOR_SMALL_REQUESTS = 16
"""Threads that transfers leave free if ``max_transfers`` is not set."""

OPTS = [
    cfg.StrOpt(
        "bind",
        default="127.0.0.1:9292",
        help="Address and port to listen on; an IPv6 address stands in square brackets."
        "\n\nExamples: ``0.0.0.0:9292``, ``[::1]:9292``",
    ),
    cfg.IntOpt("workers", default=2, min=1, help="Processes that answer requests."),
    cfg.BoolOpt(
        "worker",
        default=True,
        help="Also run an image worker, in a process of its own, for jobs that are too long for a request; see "
        "[workers]. If off, ``glance-mini-worker`` must run somewhere.",
    ),
    cfg.IntOpt(
        "threads",
        default=64,
        min=2,
        help="Threads of each process. A transfer holds one from its first byte to its last.",
    ),
    cfg.IntOpt(
        "max_transfers",
        default=0,
        min=0,
        help="Uploads and downloads that one process serves at once; further ones are answered with 503 "
        "and ``Retry-After``. 0: the number of threads minus 16, so that small requests always find a "
        "thread.",
    ),
    cfg.IntOpt(
        "transfers_per_project",
        default=0,
        min=0,
        help="How many of these transfers one project may have at once; further ones are answered with 503 and "
        "``Retry-After``. Administrators and services act for all projects and may have all. 0: half of them, or half "
        "of those that find memory (``[transfers] memory_mib``) if these are fewer.",
    ),
    cfg.IntOpt(
        "max_location_checks",
        default=8,
        min=1,
        help="Requests that one process serves at once while they look at a location on a web server; further ones are "
        "answered with 503 and ``Retry-After``. One project may have half of them.",
    ),
    cfg.IntOpt(
        "keepalive",
        default=5,
        min=0,
        help="Seconds that an idle connection is kept open for another request; 0 closes it.",
    ),
    cfg.IntOpt(
        "io_timeout",
        default=60,
        min=1,
        help="Seconds after which a connection that neither takes nor sends a byte is closed.",
    ),
    cfg.IntOpt(
        "minimum_rate",
        default=1024,
        min=0,
        help="Bytes per second that a connection must carry, averaged over ``rate_window``, while the "
        "service waits for it; a slower one is closed. 0 allows any rate.",
    ),
    cfg.IntOpt(
        "rate_window",
        default=60,
        min=1,
        help="Seconds over which ``minimum_rate`` is measured.",
    ),
    cfg.IntOpt(
        "body_timeout",
        default=10,
        min=1,
        help="Seconds in which a JSON body must arrive. A request gets a thread only after that.",
    ),
    cfg.IntOpt(
        "answer_timeout",
        default=60,
        min=1,
        help="Seconds in which a client must take an answer that is no image data. No thread waits for it.",
    ),
    cfg.IntOpt(
        "max_waiting_bytes",
        default=32 * 1024**2,
        min=1024**2,
        advanced=True,
        help="Bytes that one process keeps of JSON bodies that are on their way and of answers that are not taken. "
        "Above it the largest one is ended.",
    ),
    cfg.BoolOpt(
        "compression",
        default=True,
        help="Compress large JSON answers for clients that ask for it by ``Accept-Encoding: zstd`` or ``gzip``.",
    ),
    cfg.BoolOpt(
        "page",
        default=True,
        help="Answer ``/ui/``, and ``/`` for browsers, with a web page on which users see and change their images. The "
        "page needs no credentials; what it shows does.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        default=60,
        min=0,
        help="Seconds that running requests have to end when the service is stopped.",
    ),
    cfg.StrOpt("tls_certificate", help="File of the certificate chain in PEM. If set, the service speaks HTTPS only."),
    cfg.StrOpt("tls_key", help="File of the private key in PEM that belongs to ``tls_certificate``."),
    cfg.StrOpt(
        "access_log",
        help="The file of the access log, which has one line for each request; empty for no access log. ``glance-mini "
        "serve`` without configuration writes to ``access.log`` in its state directory.",
    ),
    cfg.StrOpt(
        "access_log_format",
        default="text",
        choices=("text", "json"),
        help="The form of the lines of the access log: fields separated by spaces, or one JSON object a line.",
    ),
    cfg.IntOpt(
        "access_log_size",
        default=64 * 1024**2,
        min=0,
        help="Bytes of the access log. When it has that many, the file gets the suffix ``.1`` and replaces the one "
        "before it, so that the log takes twice as much at most. 0 lets the file grow, for a program such as logrotate "
        "with ``copytruncate``.",
    ),
    cfg.BoolOpt("metrics", default=True, help="Answer ``/metrics`` with metrics for Prometheus."),
    cfg.BoolOpt(
        "metrics_loopback_only",
        default=True,
        help="Answer ``/metrics`` only to callers on the same machine. The metrics need no credentials.",
    ),
    cfg.IntOpt(
        "max_json_body",
        default=1024**2,
        min=1024,
        help="The longest JSON body in bytes. A longer one is refused with 413 before it is read.",
    ),
    cfg.IntOpt(
        "max_lists_in_flight",
        default=4,
        min=1,
        advanced=True,
        help="Long lists that one process makes at once; further ones wait. This limits the memory that pages take.",
    ),
]


_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration


def max_transfers(conf: cfg.ConfigOpts) -> int:
    """Return the number of transfers that one process serves at once, at least 1."""
    configured: int = conf.server.max_transfers
    return configured or max(1, conf.server.threads - THREADS_FOR_SMALL_REQUESTS)


def transfers_per_project(conf: cfg.ConfigOpts) -> int:
    """Return the number of transfers that one process serves at once for one project, at least 1."""
    configured: int = conf.server.transfers_per_project
    return configured or max(1, min(max_transfers(conf), conf.transfers.memory_mib * MIB // TRANSFER) // 2)


def local_endpoint(bind: str, is_tls: bool) -> str:
    """Return the URL at which programs on this machine reach a service that listens on ``bind``."""
    host, port = host_and_port(bind)
    host = _WILDCARDS.get(host, host)
    return f"{'https' if is_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[IPv6]:port``; raises ValueError."""
    host, _, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or bracketed != (":" in host) or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"'{address}' is not host:port (an IPv6 address stands in square brackets)")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``; a name other than localhost counts as outside."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
