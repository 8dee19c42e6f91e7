"""Clients of the stream of events, over pairs of sockets to an application in this process."""

import json
import select
import socket
import time

from webob import Request

from glance_mini.cmd.serve.adapter import LEAVING, LeavingAnswer
from glance_mini.testing.application import ApplicationFixture

SECONDS = 20
FAST = {"interval": "0.1", "heartbeat": "600", "check_interval": "600"}


def request(caller, **headers):
    """Return the request of a caller for a stream, as the server hands it to the application."""
    headers = {"X-Auth-Token": caller, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request.blank("/v2/events", headers=headers, environ={LEAVING: LeavingAnswer})


class Stream:
    """One client; ``answer`` is the answer to its request, and with 200 there is a connection."""

    def __init__(self, test, app, caller="member", **headers):
        self.answer = request(caller, **headers).get_response(app)
        self._text = b""
        if self.answer.status_int != 200:
            return
        self.socket, other = socket.socketpair()
        test.addCleanup(self.socket.close)
        self.answer.app_iter.take(other, b"HEAD\r\n\r\n")
        test.addCleanup(other.close)

    def next(self):
        """Return kind, id and data of the next event; None at the end of the stream."""
        while b"\n\n" not in self._text.lstrip(b":\n"):
            ready, _, _ = select.select([self.socket], [], [], SECONDS)
            if not ready:
                raise AssertionError(f"no event came: {self._text!r}")
            piece = self.socket.recv(65536)
            if not piece:
                return None
            self._text += piece
        self._text = self._text.lstrip(b":\n").removeprefix(b"HEAD\r\n\r\n")
        one, _, self._text = self._text.partition(b"\n\n")
        fields = dict(line.split(b": ", 1) for line in one.split(b"\n"))
        return fields[b"event"].decode(), int(fields[b"id"]), json.loads(fields[b"data"])

    def until(self, *kinds):
        """Return the events up to the first of one of the kinds."""
        found = []
        while True:
            event = self.next()
            if event is None:
                raise AssertionError(f"the stream ended after {len(found)} events")
            found.append(event)
            if event[0] in kinds:
                return found

    def end(self):
        """Wait for the end of the stream and return the events before it."""
        found = []
        while (event := self.next()) is not None:
            found.append(event)
        return found


class StreamingCase:
    """Mix into a ``testtools.TestCase``: an application whose streams are quick."""

    options = {}
    policy = ""

    def setUp(self):
        super().setUp()
        events = {**FAST, **self.options.get("events", {})}
        self.application = self.useFixture(ApplicationFixture({**self.options, "events": events}, self.policy))
        self.app = self.application.app

    def stream(self, caller="member", **headers):
        """Return a new client whose stream has begun."""
        stream = Stream(self, self.app, caller, **headers)
        self.assertEqual(200, stream.answer.status_int)
        return stream

    def ready_stream(self, caller="member"):
        """Return a new client that gets what happens from now on."""
        stream = self.stream(caller)
        self.assertEqual("ready", stream.next()[0])
        return stream

    def send(self, method, path, caller="member", json=None, status=None, **arguments):
        """Return the answer to a request."""
        blank = Request.blank(path, method=method, headers={"X-Auth-Token": caller}, **arguments)
        if json is not None:
            blank.json = json
        answer = blank.get_response(self.app)
        if status is not None:
            self.assertEqual(status, answer.status_int, answer.text)
        return answer

    def create(self, caller="member", **values):
        """Return the id of a new image."""
        body = {"disk_format": "raw", "container_format": "bare", **values}
        return self.send("POST", "/v2/images", caller, body, 201).json["id"]

    def change(self, image, caller="member", **values):
        """Replace values of an image."""
        changes = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in values.items()]
        kind = "application/openstack-images-v2.1-json-patch"
        blank = Request.blank(f"/v2/images/{image}", method="PATCH", headers={"X-Auth-Token": caller})
        blank.body, blank.content_type = json.dumps(changes).encode(), kind
        self.assertEqual(200, blank.get_response(self.app).status_int)

    def mark(self):
        """Create an image that everyone sees, so that a client can tell what did not come before it."""
        return self.create("admin", name="mark", visibility="public")

    def before_mark(self, stream):
        """Return what came to a stream before a mark, as kind and image."""
        mark = self.mark()
        found = []
        while True:
            kind, _, data = stream.next()
            image = data.get("image_id", data.get("id"))
            if image == mark:
                return found
            found.append((kind, image))


def eventually(condition):
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        time.sleep(0.02)
