"""Measures small requests while slow and half-open connections exist, which must not delay them."""

import contextlib
import socket
import threading
import time
from statistics import median
from urllib.parse import urlsplit

from benchmarks.client import Client
from benchmarks.service import Service


def small_requests_in_a_crowd(
    service: Service, uploads: int = 16, half_headers: int = 100, half_handshakes: int = 20
) -> dict[str, float]:
    """Return the median and the worst time (ms) of a small request alone and in the crowd.

    The crowd: ``uploads`` that send 10 KiB a second, ``half_headers`` requests whose headers do not end, and
    ``half_handshakes`` connections that send the beginning of a TLS handshake.
    """
    client = Client(service.url, service.token)
    image_id = client.call("GET", "/v2/images?limit=1")["images"][0]["id"]
    alone = _times(client, image_id)
    done = threading.Event()
    with contextlib.ExitStack() as stack:
        for _ in range(half_headers):
            stack.enter_context(_open(service)).sendall(b"GET /v2/images HTTP/1.1\r\nHost: x\r\nX-Half: ")
        for _ in range(half_handshakes):
            stack.enter_context(_open(service)).sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        threads = [threading.Thread(target=_slow_upload, args=(service, done)) for _ in range(uploads)]
        for thread in threads:
            thread.start()
        time.sleep(2)
        crowded = _times(client, image_id)
        done.set()
        for thread in threads:
            thread.join()
    return {
        "alone, median": median(alone),
        "in the crowd, median": median(crowded),
        "in the crowd, worst": max(crowded),
    }


def _times(client: Client, image_id: str, count: int = 200) -> list[float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        client.call("GET", f"/v2/images/{image_id}")
        times.append(1000 * (time.perf_counter() - begin))
        time.sleep(0.01)
    return times


def _slow_upload(service: Service, done: threading.Event) -> None:
    client = Client(service.url, service.token)
    created = client.call("POST", "/v2/images", {"disk_format": "raw", "container_format": "bare"})
    head = (
        f"PUT {created['file']} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {service.token}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {1024**3}\r\n\r\n"
    )
    with _open(service) as connection:
        connection.sendall(head.encode())
        while not done.wait(0.1):
            connection.sendall(b"x" * 1024)


def _open(service: Service) -> socket.socket:
    parts = urlsplit(service.url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 80)), 30)
