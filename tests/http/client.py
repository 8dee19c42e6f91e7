"""Requests to the whole application in tests that a table cannot hold."""

import json
from typing import Any

import testtools
from webob import Request, Response

from glance_mini.testing.application import ApplicationFixture
from glance_mini_store.drivers.memory import MemoryDriver

DATA_TYPE = "application/octet-stream"
FORMATS = {"disk_format": "raw", "container_format": "bare"}


class ApplicationTest(testtools.TestCase):
    """A test with an application of its own; ``options`` and ``policy`` are those of the fixture."""

    options: dict[str, dict[str, object]] = {}
    policy = ""

    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(ApplicationFixture(self.settings(), self.policy))

    def settings(self) -> dict[str, dict[str, object]]:
        """Return the options of the application."""
        return self.options

    def send(self, method: str, path: str, body: Any = None, caller: str = "member", **headers: object) -> Response:
        """Return the answer; ``body`` is bytes, or anything that JSON can hold. Underscores in headers are hyphens."""
        request = Request.blank(path, method=method, headers={"X-Auth-Token": caller})
        if body is not None:
            request.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.headers.update({name.replace("_", "-"): str(value) for name, value in headers.items()})
        return request.get_response(self.service.app)

    def send_stream(self, method: str, path: str, stream: Any, length: int | None, **headers: object) -> Response:
        """Return the answer to a body read from ``stream``, chunked where ``length`` (bytes) is None."""
        request = Request.blank(path, method=method, headers={"X-Auth-Token": "member"})
        request.headers.update({name.replace("_", "-"): str(value) for name, value in headers.items()})
        request.environ["wsgi.input"] = stream
        request.environ["CONTENT_LENGTH"] = "" if length is None else str(length)
        if length is None:
            request.environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        return request.get_response(self.service.app)

    def create(self, **values: object) -> str:
        """Create an image that can have data and return its id."""
        answer = self.send("POST", "/v2/images", FORMATS | values)
        self.assertEqual(201, answer.status_int, answer.text)
        return str(answer.json["id"])

    def status_of(self, image_id: str) -> str:
        """Return the status of an image."""
        return str(self.send("GET", f"/v2/images/{image_id}", caller="admin").json["status"])

    def is_stored(self, image_id: str) -> bool:
        """Tell whether the default store, which must be one in memory, holds data of an image."""
        driver = self.service.services.stores.default.driver
        assert isinstance(driver, MemoryDriver)
        return any(image_id in location for location in driver.locations())


class Stream:
    """A body that arrives in ``blocks``; an exception among them is raised when it is its turn."""

    def __init__(self, *blocks: bytes | BaseException) -> None:
        self._blocks = list(blocks)
        self.reads = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next block."""
        self.reads += 1
        if not self._blocks:
            return b""
        block = self._blocks.pop(0)
        if isinstance(block, BaseException):
            raise block
        if len(block) > size >= 0:
            self._blocks.insert(0, block[size:])
            block = block[:size]
        return block
