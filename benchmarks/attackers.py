"""``python -m benchmarks.attackers``: clients and a web server that are slow on purpose, in a process of their own.

It reads one JSON object from its input: ``url`` and ``token`` of the service, the port ``web`` for the server that
drips, ``bodies`` and ``answers``, the numbers of connections, and ``images``, to which locations are added. It prints a
line when it has begun, and goes on until it is killed.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.service import TRUSTING

BODY = 900_000
PIPELINED = 140
_PAUSE = 1.0


def main() -> None:
    """Attack until killed; this machine also runs the service, which attackers elsewhere would leave its processors."""
    os.nice(10)
    plan = json.loads(sys.stdin.readline())
    listener = socket.create_server(("127.0.0.1", plan["web"]), backlog=1000)
    _start(_accept, listener)
    for _ in range(plan["bodies"]):
        _start(_again, _send_slowly, plan)
    for _ in range(plan["answers"]):
        _start(_again, _read_nothing, plan)
    for image in plan["images"]:
        _start(_again, _add_location, plan, image)
    print("begun", flush=True)
    threading.Event().wait()


def _start(work: Any, *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _again(attack: Any, plan: dict[str, Any], *arguments: Any) -> None:
    while True:
        with contextlib.suppress(OSError), _connect(plan["url"]) as connection:
            attack(connection, plan, *arguments)
        time.sleep(_PAUSE)


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(120)
    connection.connect((str(parts.hostname), int(parts.port or 80)))
    return TRUSTING.wrap_socket(connection) if parts.scheme == "https" else connection


def _send_slowly(connection: socket.socket, plan: dict[str, Any]) -> None:
    connection.sendall(_head(plan, "POST", "/v2/images", BODY))
    connection.settimeout(_PAUSE)
    while True:
        connection.sendall(b"x" * 100)
        with contextlib.suppress(TimeoutError):
            connection.recv(4096)
            return


def _read_nothing(connection: socket.socket, plan: dict[str, Any]) -> None:
    connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * PIPELINED)
    while True:
        time.sleep(_PAUSE)
        connection.getpeername()


def _add_location(connection: socket.socket, plan: dict[str, Any], image: str) -> None:
    body = json.dumps({"url": f"http://127.0.0.1:{plan['web']}/{image}"}).encode()
    connection.sendall(_head(plan, "POST", f"/v2/images/{image}/locations", len(body)) + body)
    connection.recv(4096)


def _head(plan: dict[str, Any], method: str, path: str, length: int) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: test\r\nX-Auth-Token: {plan['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _accept(listener: socket.socket) -> None:
    while True:
        _start(_drip, listener.accept()[0])


def _drip(connection: socket.socket) -> None:
    """Send the data of a web-download at 150 KiB/s, just fast enough; of anything else not even the head."""
    with contextlib.suppress(OSError), connection:
        head = connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        if b" /data" not in head:
            while True:
                connection.sendall(b"X")
                time.sleep(_PAUSE)
        connection.sendall(f"Content-Length: {1 << 30}\r\n\r\n".encode())
        if head.startswith(b"HEAD"):
            return
        while True:
            connection.sendall(bytes(15 * 1024))
            time.sleep(0.1)


if __name__ == "__main__":
    main()
