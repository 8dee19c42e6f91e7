"""A message broker that is not there, or takes connections and never says a word: all is done, and nobody waits."""

import os
import signal
import socket
import threading
import time
from statistics import quantiles

import fixtures
import testtools

from tests.functional.faults import at_once, make_state, start_service, use_for_class
from tests.functional.importing import DIRECT, run_import, stage, web
from tests.functional.service import Service
from tests.http_server.running import eventually
from tests.ports import free_port
from tests.unit.store.web import Page, WebServer

HANG_SECONDS = 3
"""What no request comes near. A request that waited for the broker would take 5 seconds and more."""

LIVES, ROUNDS = 20, 3
SLOWER, MORE_SECONDS = 1.5, 0.005
"""How much longer than without a broker nine of ten requests may take, for the machine does other things as well."""


class SilentBroker(fixtures.Fixture):
    """Listens on loopback, takes every connection and answers nothing; ``taken`` holds the connections."""

    def _setUp(self):
        self.taken = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()
        self.addCleanup(self._close)

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


def options_for(port):
    """Return the options that make a service send its notifications to a broker at ``port``."""
    return {
        "DEFAULT": {"transport_url": f"rabbit://guest:guest@127.0.0.1:{port}/"},
        "oslo_messaging_notifications": {"driver": "messagingv2"},
    }


class NoBrokerTest(testtools.TestCase):
    """``without`` is a service that sends nothing."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = use_for_class(cls, fixtures.TempDir())
        cls.without = use_for_class(cls, Service(make_state(folder.join("state")), "--no-worker"))
        cls.web = use_for_class(cls, WebServer())

    def test_nobody_waits_for_a_broker_that_says_nothing(self):
        broker = self.useFixture(SilentBroker())
        service = self.start(options_for(broker.port))
        self.assert_no_slower(service)
        eventually(lambda: broker.taken, "somebody turned to the broker")
        self.assert_works_and_ends(service)

    def test_nor_for_one_that_is_not_there(self):
        service = self.start(options_for(free_port()))
        self.assert_no_slower(service)
        self.assert_works_and_ends(service)

    def test_nor_where_events_are_stored_and_a_worker_publishes_them(self):
        broker = self.useFixture(SilentBroker())
        service = self.start({**options_for(broker.port), "notifications": {"delivery": "outbox"}})
        self.assert_works_and_ends(service)
        eventually(lambda: broker.taken, "somebody turned to the broker")

    def start(self, options):
        """Return a service that may fetch from ``web``."""
        filters = {"allowed_hosts": "127.0.0.1", "allowed_ports": self.web.port}
        return start_service(self, options, {"import_filtering_opts": filters})

    def assert_no_slower(self, service):
        """Requests take no longer than those of the service without a broker, which take turns with them."""
        measured = []
        for _ in range(ROUNDS):
            lives = [(seconds_of_a_life(service), seconds_of_a_life(self.without)) for _ in range(LIVES)]
            there, here = (slowest_tenth(seconds) for seconds in zip(*lives, strict=True))
            measured.append((there, here))
            if there < SLOWER * here + MORE_SECONDS:
                return
        self.fail(f"requests are slower: {measured}")

    def assert_works_and_ends(self, service):
        """Images live their lives, imports are done, and the end comes soon."""
        self.assertLess(max(max(each) for each in at_once(8, lambda number: seconds_of_a_life(service))), HANG_SECONDS)
        self.web.pages["/disk"] = Page(os.urandom(100_000))
        fetched, staged = service.create_image(), service.create_image()
        stage(service, staged, b"staged").raise_for_status()
        for image, method in ((fetched, web(self.web.url("/disk"))), (staged, DIRECT)):
            self.assertEqual("active", run_import(service, image, method)[0]["status"])
        begun = time.monotonic()
        self.assertEqual(0, service.stop(signal.SIGTERM))
        self.assertLess(time.monotonic() - begun, 2 * HANG_SECONDS)


def seconds_of_a_life(service):
    """Return the seconds that the requests take which an image meets in its life."""
    seconds = []

    def timed(method, path, **arguments):
        answer = service.request(method, path, **arguments)
        answer.raise_for_status()
        seconds.append(answer.elapsed.total_seconds())
        return answer

    body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
    path = "/v2/images/" + timed("POST", "/v2/images", json=body).json()["id"]
    octets = {"Content-Type": "application/octet-stream"}
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    timed("PUT", path + "/file", data=b"x" * 1000, headers=octets)
    timed("PATCH", path, json=[{"op": "add", "path": "/key", "value": "a"}], headers=patch)
    timed("GET", path + "/file")
    timed("DELETE", path)
    return seconds


def slowest_tenth(lives):
    """Return the seconds that nine of ten requests do not exceed."""
    return quantiles([seconds for life in lives for seconds in life], n=10)[-1]
