"""Streams of events from the running service: several processes, no thread for a client, kills."""

import json
import signal
import socket
from pathlib import Path

import fixtures
from testtools import TestCase

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service

CONFIGURATION = """
[events]
interval = 0.1
max_listeners_per_caller = 100
[server]
threads = 4
"""
SECONDS = 30


class Client:
    """A client of the stream of a service."""

    def __init__(self, service, last_id=None):
        self._socket = socket.create_connection(("127.0.0.1", service.port), SECONDS)
        known = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        head = f"GET /v2/events HTTP/1.1\r\nHost: test\r\nX-Auth-Token: {service.token}\r\n{known}\r\n"
        self._socket.sendall(head.encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def next(self):
        """Return kind, id and data of the next event, None at the end."""
        fields = {}
        while line := self._file.readline():
            if line != b"\n":
                name, _, value = line.decode().rstrip("\n").partition(": ")
                fields[name] = value
            elif "event" in fields:
                return fields["event"], int(fields["id"]), json.loads(fields["data"])
        return None

    def close(self):
        self._file.close()
        self._socket.close()


class EventsTest(TestCase):
    def setUp(self):
        super().setUp()
        root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = StateDirectory(root / "state")
        self.state.create()
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write(CONFIGURATION)

    def test_all_clients_of_all_processes_are_told_and_hold_no_thread(self):
        service = self.useFixture(Service(self.state.path, "--workers", "2"))
        # More than both processes have threads; some come to each.
        clients = [self.client(service) for _ in range(40)]
        self.assertEqual({"ready"}, {client.next()[0] for client in clients})
        image = service.create_image()
        for client in clients:
            kind, _, data = client.next()
            self.assertEqual(("image.create", image), (kind, data["id"]))
        self.assertEqual(0, service.stop())
        self.assertEqual({None}, {client.next() for client in clients})
        token = service.token
        self.assertEqual([], [path for path in self.state.path.glob("*.log") if token in path.read_text()])
        self.assertNotIn(token, service.log.read_text())

    def test_client_goes_on_where_it_was_after_all_processes_were_killed(self):
        service = self.useFixture(Service(self.state.path))
        client = self.client(service)
        client.next()
        service.create_image()
        _, position, _ = client.next()
        missed = service.create_image()
        service.stop(signal.SIGKILL)
        again = self.useFixture(Service(self.state.path))
        back = self.client(again, position)
        kind, _, data = back.next()
        self.assertEqual(("image.create", missed), (kind, data["id"]))
        self.assertEqual("ready", back.next()[0])

    def client(self, service, last_id=None):
        """Return a client whose stream has begun."""
        client = Client(service, last_id)
        self.addCleanup(client.close)
        self.assertEqual(200, client.status)
        return client
