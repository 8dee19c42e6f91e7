"""A message broker that accepts connections and never says a word: nobody waits for it."""

import signal
import socket
import threading
import time

import fixtures
import testtools

from tests.functional.faults import at_once, start_service
from tests.http_server.running import eventually

HANG_SECONDS = 3
"""What no request comes near. A request that waited for the broker would take 5 seconds and more."""


class SilentBroker(fixtures.Fixture):
    """Listens on loopback, takes every connection and answers nothing; ``taken`` holds the connections."""

    def _setUp(self):
        self.taken = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()
        self.addCleanup(self._close)

    def options(self):
        """Return the options that make a service send its notifications here."""
        return {
            "DEFAULT": {"transport_url": f"rabbit://guest:guest@127.0.0.1:{self.port}/"},
            "oslo_messaging_notifications": {"driver": "messagingv2"},
        }

    def _run(self):
        while True:
            try:
                self.taken.append(self._listener.accept()[0])
            except OSError:
                return

    def _close(self):
        self._listener.close()
        for connection in self.taken:
            connection.close()


class SilentBrokerTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.broker = self.useFixture(SilentBroker())

    def test_no_request_waits_for_a_silent_broker_nor_does_the_end(self):
        self.check(self.broker.options())

    def test_nor_where_events_are_stored_and_a_worker_publishes_them(self):
        self.check({**self.broker.options(), "notifications": {"delivery": "outbox"}})

    def check(self, options):
        """Start a service, let images live their lives and end it."""
        service = start_service(self, options)
        self.assertLess(max(at_once(8, lambda number: longest_request(service))), HANG_SECONDS)
        eventually(lambda: self.broker.taken, "somebody turned to the broker")
        begun = time.monotonic()
        self.assertEqual(0, service.stop(signal.SIGTERM))
        self.assertLess(time.monotonic() - begun, 2 * HANG_SECONDS)


def longest_request(service):
    """Return the seconds of the slowest of the requests that an image meets in its life."""
    seconds = []

    def timed(method, path, **arguments):
        begun = time.monotonic()
        answer = service.request(method, path, **arguments)
        seconds.append(time.monotonic() - begun)
        answer.raise_for_status()
        return answer

    body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
    path = "/v2/images/" + timed("POST", "/v2/images", json=body).json()["id"]
    octets = {"Content-Type": "application/octet-stream"}
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    timed("PUT", path + "/file", data=b"x" * 1000, headers=octets)
    timed("PATCH", path, json=[{"op": "add", "path": "/key", "value": "a"}], headers=patch)
    timed("GET", path + "/file")
    timed("DELETE", path)
    return max(seconds)
