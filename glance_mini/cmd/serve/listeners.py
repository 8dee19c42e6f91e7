"""Listening sockets for the addresses that users write: host:port, [address]:port, unix:/path, fd://number."""

import contextlib
import errno
import os
import socket
import stat

_BACKLOG = 2048

_ADVICE = {
    errno.EADDRINUSE: ". Stop the other program, or name another address by --bind or [server] bind.",
    errno.EADDRNOTAVAIL: ". It must be an address of this machine.",
    errno.EACCES: ". A port below 1024 needs the capability CAP_NET_BIND_SERVICE.",
}


class CannotListen(Exception):
    """The server cannot listen on an address; the text has the address and the reason."""


def listen(address: str) -> socket.socket:
    """Return a listening socket for `address`.

    Raises CannotListen; does not wait for an address to become free.
    """
    try:
        if address.startswith("fd://"):
            return socket.socket(fileno=int(address.removeprefix("fd://")))
        if address.startswith("unix:"):
            return _listen_unix(address.removeprefix("unix:"))
        return _listen_tcp(*_host_and_port(address))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        advice = _ADVICE.get(getattr(error, "errno", 0), "")
        raise CannotListen(f"cannot listen on {address}: {reason}{advice}") from error


def _host_and_port(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("it is not of the form host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen_tcp(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _listen_unix(path: str) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket file that a killed server has left.

    A socket that answers stays, and binding to it will fail.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
            except BlockingIOError:
                return
