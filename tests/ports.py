"""Ports on loopback that no other test of the machine has, now or later, and that the system gives to nobody."""

import socket
from itertools import count
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST = 10_000

_taken: list[socket.socket] = []


def free_port() -> int:
    """Return a port that nobody listens on and that this process alone may use until it ends.

    It lies below those that the system gives to connections, so none gets it between this call and a server's start. A
    name of an abstract Unix socket (unix(7)) stands for it: only one process can have that, and the system takes it
    back however the process ends.
    """
    end = int(RANGE.read_text().split()[0])
    for port in count(FIRST):
        if port >= end:
            raise AssertionError(f"all ports from {FIRST} to {end} are taken")
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0glance-mini-tests-{port}")
        except OSError:
            mark.close()
            continue
        _taken.append(mark)
        if not _is_in_use(port):
            return port
    raise AssertionError("unreachable")


def _is_in_use(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("0.0.0.0", port))
        except OSError:
            return True
    return False
