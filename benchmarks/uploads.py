"""What an upload that goes on costs: in one piece, broken twice, and in parts at once, beside a plain upload."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks import processes
from benchmarks.service import Service

_TUS = {"Tus-Resumable": "1.0.0"}
_PIECE = {**_TUS, "Content-Type": "application/offset+octet-stream"}


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the service, seconds, and bytes that went to it."""

    cpu: float
    seconds: float
    sent: int


def run(service: Service, source: Path, rounds: int) -> Iterator[str]:
    """Yield the figures of each way to send ``source``, medians of ``rounds``, and the ratios that count."""
    ways: dict[str, Callable[[_Uploader], None]] = {
        "PUT": _Uploader.put,
        "one piece": lambda uploader: uploader.whole(()),
        "broken twice": lambda uploader: uploader.whole((1 / 3, 2 / 3)),
        "two parts": lambda uploader: uploader.parts(2),
    }
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(_measured(service, _Uploader(service, source), way))
    costs = {name: _median(each) for name, each in found.items()}
    size = source.stat().st_size
    for name, cost in costs.items():
        cores, sent = cost.cpu / cost.seconds, cost.sent / size
        yield f"{name:14} {cost.cpu:6.2f} s of CPU {cost.seconds:6.2f} s {sent:6.3f} × bytes {cores:5.2f} cores"
    broken, unbroken = costs["broken twice"], costs["one piece"]
    yield f"broken twice / one piece: CPU {broken.cpu / unbroken.cpu:.2f}, bytes {broken.sent / unbroken.sent:.3f}"
    yield f"one piece / PUT: CPU {unbroken.cpu / costs['PUT'].cpu:.2f}"
    yield f"two parts / one piece: seconds {costs['two parts'].seconds / unbroken.seconds:.2f}"


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        median(each.cpu for each in costs), median(each.seconds for each in costs), max(each.sent for each in costs)
    )


def _measured(service: Service, uploader: "_Uploader", way: Callable[["_Uploader"], None]) -> Cost:
    cpu, begin = processes.cpu_seconds(service.pid), time.perf_counter()
    way(uploader)
    cost = Cost(processes.cpu_seconds(service.pid) - cpu, time.perf_counter() - begin, uploader.sent)
    uploader.delete()
    return cost


class _Uploader:
    """Sends ``source`` to a new image; ``sent`` counts the bytes that went to the service."""

    def __init__(self, service: Service, source: Path) -> None:
        parts = urlsplit(service.url)
        self._address = (str(parts.hostname), parts.port)
        self._token = {"X-Auth-Token": service.token}
        self._source = source
        self._size = source.stat().st_size
        self.sent = 0
        body = json.dumps({"disk_format": "raw", "container_format": "bare"})
        _, answer, _ = self._call("POST", "/v2/images", {"Content-Type": "application/json"}, body)
        self._path = f"/v2/images/{json.loads(answer)['id']}"

    def put(self) -> None:
        """Upload the data as every client does."""
        self._send("PUT", f"{self._path}/file", {"Content-Type": "application/octet-stream"}, 0, self._size)

    def whole(self, breaks: Sequence[float]) -> None:
        """Upload the data, and break the connection when these parts of it have been sent."""
        upload, offset = self._begin({"Upload-Length": self._size}), 0
        for place in (*breaks, 1):
            headers = {**_PIECE, "Upload-Offset": offset}
            self._send("PATCH", upload, headers, offset, self._size, int(place * self._size))
            offset = self._offset(upload)

    def parts(self, count: int) -> None:
        """Upload the data in parts at once, and join them."""
        bounds = [self._size * number // count for number in range(count + 1)]
        uploads = [
            self._begin({"Upload-Length": end - start, "Upload-Concat": "partial"}) for start, end in pairwise(bounds)
        ]
        headers = {**_PIECE, "Upload-Offset": 0}
        with ThreadPoolExecutor(count) as pool:
            for done in [
                pool.submit(self._send, "PATCH", *each)
                for each in ((upload, headers, *bounds[n : n + 2]) for n, upload in enumerate(uploads))
            ]:
                done.result()
        self._begin({"Upload-Concat": f"final;{' '.join(uploads)}"})

    def delete(self) -> None:
        """Delete the image."""
        self._call("DELETE", self._path, {})

    def _begin(self, headers: dict[str, object]) -> str:
        return self._call("POST", f"{self._path}/upload", {**_TUS, **headers})[2]["Location"]

    def _offset(self, upload: str) -> int:
        """Return what has arrived, once the service knows that the connection is broken."""
        known = -1
        while (found := int(self._call("HEAD", upload, _TUS)[2]["Upload-Offset"])) != known:
            known = found
            time.sleep(0.2)
        return known

    def _send(
        self, method: str, path: str, headers: dict[str, object], start: int, end: int, until: int | None = None
    ) -> None:
        """Send the bytes from ``start`` to ``end``, or only to ``until`` and then nothing more."""
        connection = http.client.HTTPConnection(*self._address, timeout=300)
        connection.putrequest(method, path)
        for name, value in {**self._token, **headers, "Content-Length": end - start}.items():
            connection.putheader(name, str(value))
        connection.endheaders()
        last = end if until is None else until
        with self._source.open("rb") as file:
            sent = connection.sock.sendfile(file, start, last - start)
        # Not before the end: other threads count too.
        self.sent += sent
        if last == end:
            _checked(connection.getresponse())
        connection.close()

    def _call(
        self, method: str, path: str, headers: dict[str, object] | dict[str, str], body: str = ""
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(*self._address, timeout=300)
        texts = {name: str(value) for name, value in {**self._token, **headers}.items()}
        connection.request(method, path, body, texts)
        answer = connection.getresponse()
        data = _checked(answer)
        connection.close()
        return answer.status, data, answer.headers


def _checked(answer: http.client.HTTPResponse) -> bytes:
    data = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"status {answer.status}: {data[:300]!r}")
    return data
