"""The settings of the server behind `glance-mini serve`.

Values only: `server.py` makes gunicorn's settings from them, and the command makes them from options.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long and how slowly a client may use a connection.

    `io_timeout`: seconds in which a socket must move at least one byte, and in which a TLS handshake and a request
    head must be complete. `minimum_rate`: bytes per second that a client must keep up while the server waits for it,
    averaged over `rate_window` seconds of such waiting; 0 is no minimum. Time of the application is not counted.

    `streamed` is a regular expression for "METHOD /path". The body of a request that matches goes to the application
    while it arrives. Any other body of at most `small_body` bytes must arrive within `body_timeout` seconds, and only
    then the request gets a thread. An answer that the application gives as a list must be taken within `answer_timeout`
    seconds.
    """

    io_timeout: float = 60.0
    minimum_rate: int = 1024
    rate_window: float = 60.0
    streamed: str = ".*"
    small_body: int = 1024**2
    body_timeout: float = 10.0
    answer_timeout: float = 60.0


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Limits):
    """Where and how to serve, and the limits of each connection.

    `bind` has "127.0.0.1:9292", "[::1]:9292", "unix:/path" or "fd://3" (a listening socket inherited from the
    parent process). `threads` is per worker process; each runs one request at a time. `keepalive` and
    `graceful_timeout` are seconds. The server uses TLS if `tls_certificate` names a PEM file; `tls_key` may be
    None if that file holds the key too. With `tls_client_ca`, a PEM file of authorities, a client must show a
    certificate of one of them, which is not in the list of revoked ones in the PEM file `tls_client_crl`.
    `waiting_bytes` is how much a worker process keeps of bodies that have not ended and of answers that are not
    taken; above it the largest one ends. `open_files` is the number of files that a process can open, if the
    system lets it.
    """

    bind: tuple[str, ...]
    workers: int = 2
    threads: int = 64
    keepalive: int = 5
    waiting_bytes: int = 32 * 1024**2
    graceful_timeout: int = 60
    open_files: int = 1024
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    tls_client_crl: str | None = None
