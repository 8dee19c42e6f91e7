"""The settings of the server behind `glance-mini serve`.

Values only: `server.py` makes gunicorn's settings from them, and the command makes them from options.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How long and how slowly a client may use a connection.

    `io_timeout`: seconds in which a socket must move at least one byte, and in which a TLS handshake and a request
    head must be complete. `minimum_rate`: bytes per second that a client must keep up while the server waits for it,
    averaged over `rate_window` seconds of such waiting; 0 is no minimum. Time of the application is not counted.
    """

    io_timeout: float = 60.0
    minimum_rate: int = 1024
    rate_window: float = 60.0


@dataclass(frozen=True)
class ServerSettings:
    """Where and how to serve.

    `bind` has "127.0.0.1:9292", "[::1]:9292", "unix:/path" or "fd://3" (a listening socket inherited from the
    parent process). `threads` is per worker process; each runs one request at a time. `keepalive` and
    `graceful_timeout` are seconds. The server uses TLS if `tls_certificate` names a PEM file; `tls_key` may be
    None if that file holds the key too. `access_log` writes a line for each request to the logger "gunicorn.access".
    """

    bind: tuple[str, ...]
    workers: int = 2
    threads: int = 64
    keepalive: int = 5
    io_timeout: float = 60.0
    minimum_rate: int = 1024
    rate_window: float = 60.0
    graceful_timeout: int = 60
    tls_certificate: str | None = None
    tls_key: str | None = None
    access_log: bool = False

    @property
    def limits(self) -> Limits:
        """The part of the settings that each connection needs."""
        return Limits(self.io_timeout, self.minimum_rate, self.rate_window)
