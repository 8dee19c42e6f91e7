"""What the backend ``registry`` makes of answers: what it repeats, what it raises, and how long it looks."""

import time
from pathlib import Path

import fixtures
import msgspec
import testtools

from glance_mini.db import wire
from glance_mini.db.remote import RegistryAccess, RegistrySettings
from glance_mini.domain import errors
from glance_mini.operations.images import CreateImage
from glance_mini.operations.records import CountUsage, Ping, SetProjectLimits
from glance_mini.testing.samples import make_image
from tests.unit.db.tls_server import Server

IMAGE = make_image()


def answer(status, body):
    """Return the text of an answer."""
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def close(sock):
    """End the connection in place of an answer."""
    return False


DONE = answer(200, wire.encode(IMAGE))
BUSY = answer(503, b"stopping")


class RemoteTest(testtools.TestCase):
    def access(self, *answers, **settings):
        """Return an access to a registry that gives these answers."""
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.server = self.useFixture(Server(folder, *answers))
        ca, certificate, key = self.server.files
        values = {"endpoints": (f"https://localhost:{self.server.port}",), "timeout": 10.0, **settings}
        made = RegistryAccess(RegistrySettings(certificate=certificate, key=key, ca_file=ca, **values))
        self.addCleanup(made.close)
        return made

    def sent(self):
        """Return the bodies of the requests."""
        return [msgspec.json.decode(request.partition(b"\r\n\r\n")[2]) for request in self.server.requests]

    def test_a_write_is_sent_again_with_its_key(self):
        for lost in (close, BUSY):
            data = self.access(lost, DONE)
            self.assertEqual(IMAGE, data.run(CreateImage()))
            first, second = self.sent()
            self.assertEqual(first, second)
            self.assertEqual(32, len(first["key"]))

    def test_two_writes_have_two_keys(self):
        data = self.access(DONE, DONE)
        call = CreateImage()
        self.assertEqual([IMAGE] * 2, [data.run(call) for _ in range(2)])
        self.assertEqual(2, len({sent["key"] for sent in self.sent()}))

    def test_what_may_be_repeated_has_no_key(self):
        data = self.access(close, answer(200, b"{}"), close, answer(200, b"null"))
        self.assertEqual({}, data.run(CountUsage("p1")))
        self.assertIsNone(data.run(SetProjectLimits("p1", {})))
        self.assertEqual([None] * 4, [sent["key"] for sent in self.sent()])

    def test_an_error_of_the_call_is_raised_and_not_repeated(self):
        failure = wire.encode_error(errors.LimitExceeded(resource="images", limit=1, wanted=2))
        data = self.access(answer(422, failure))
        error = self.assertRaises(errors.LimitExceeded, data.run, CreateImage())
        self.assertEqual("The limit for images is 1; this request would make it 2.", str(error))
        self.assertEqual(1, len(self.server.requests))

    def test_a_refusal_is_logged_and_not_repeated(self):
        for status in (400, 403, 404, 409, 413, 500):
            data = self.access(answer(status, b"the secret reason"))
            with self.assertLogs("glance_mini.db.remote", "ERROR") as logged:
                error = self.assertRaises(errors.Unavailable, data.run, CreateImage())
            self.assertEqual(1, len(self.server.requests))
            self.assertIn(f"status {status}: the secret reason", logged.output[0])
            self.assertNotIn("secret", str(error))

    def test_an_answer_of_another_release_is_named(self):
        data = self.access(answer(200, b'{"id":5}'))
        with self.assertLogs("glance_mini.db.remote", "ERROR"):
            error = self.assertRaises(errors.Unavailable, data.run, CreateImage())
        self.assertIn("of a release that this service cannot work with", str(error))

    def test_an_answer_that_is_too_long_is_not_read(self):
        data = self.access(*[answer(200, b" " * 1001)] * 9, max_answer=1000, timeout=1.0)
        self.assertRaises(errors.Unavailable, data.run, Ping())

    def test_a_call_ends_after_its_time(self):
        data = self.access(*[lambda sock: time.sleep(20)] * 9, timeout=1.0, attempt_timeout=0.3)
        began = time.monotonic()
        self.assertRaises(errors.Unavailable, data.run, Ping())
        self.assertLess(time.monotonic() - began, 3)
        self.assertLess(1, len(self.server.requests))

    def test_a_registry_that_cannot_be_reached_is_looked_for_only_for_a_while(self):
        data = self.access(endpoints=("https://localhost:1",), reach_timeout=0.2)
        began = time.monotonic()
        self.assertRaises(errors.Unavailable, data.run, Ping())
        self.assertLess(time.monotonic() - began, 3)

    def test_the_next_registry_is_asked_and_the_first_one_avoided_for_a_while(self):
        self.access(*[answer(200, b"null")] * 3)
        working = f"https://localhost:{self.server.port}"
        ca, certificate, key = self.server.files
        endpoints = ("https://localhost:1", working)
        data = RegistryAccess(RegistrySettings(endpoints=endpoints, certificate=certificate, key=key, ca_file=ca))
        self.addCleanup(data.close)
        with self.assertLogs("glance_mini.db.remote", "WARNING") as logged:
            for _ in range(3):
                data.run(Ping())
        self.assertEqual(1, len(logged.output), "it is told once")
        self.assertIn("Registry https://localhost:1 does not answer", logged.output[0])
