"""Many clients at once, and a database that goes away, on the database servers."""

import contextlib
import select
import socket
import threading
import time

import fixtures
from sqlalchemy import make_url

from tests.functional.faults import (
    KNOWN,
    MIB,
    SHORT_LEASES,
    UNKNOWN,
    at_once,
    begin_upload,
    files_of,
    framing,
    part_of,
    start_service,
    status_of,
)
from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase

CLIENTS = 24
UPLOADS, ROOM = 20, 5
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


class Proxy(fixtures.Fixture):
    """Passes connections at ``port`` on to a server, and cuts them all off between ``stop`` and ``start``.

    While ``loses_commits`` is set a connection breaks when the server has committed and before it says so.
    """

    def __init__(self, host, port):
        super().__init__()
        self.loses_commits = False
        self._target = (host, port)
        self._open = set()
        self._lock = threading.Lock()

    def _setUp(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._serve()
        self.addCleanup(self.stop)

    def start(self):
        """Take connections again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def stop(self):
        """Refuse new connections and reset those there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            # One that is only being set up is in nobody's list yet.
            self._is_stopped = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self):
        self._is_stopped = False
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        with client, socket.create_connection(self._target) as server:
            pair = {client: server, server: client}
            with self._lock:
                if self._is_stopped:
                    return
                self._open |= set(pair)
            with contextlib.suppress(OSError):
                while all(self._move(source, pair[source]) for source in select.select([*pair], [], [])[0]):
                    pass
            with self._lock:
                self._open -= set(pair)

    def _move(self, source, target):
        data = source.recv(65536)
        target.sendall(data)
        if self.loses_commits and b"COMMIT" in data:
            target.recv(65536)
            return False
        return bool(data)


class AtOnce:
    """Mix into a case of one ``database``."""

    def setUp(self):
        super().setUp()
        options = {
            "database": {"connection": self.fresh_database(self.database)},
            "DEFAULT": {"user_storage_quota": f"{4 * ROOM}MB"},
            "transfers": {"reserve_step_mib": 1},
        }
        self.serving = start_service(self, options)

    def test_properties_and_tags_added_at_once_are_all_there(self):
        image = self.serving.create_image()

        def add(number):
            change = [{"op": "add", "path": f"/key{number}", "value": str(number)}]
            path = f"/v2/images/{image}"
            changed = self.serving.request("PATCH", path, json=change, headers=PATCH).status_code
            return changed, self.serving.request("PUT", f"{path}/tags/tag{number}").status_code

        self.assertEqual([(200, 204)] * CLIENTS, at_once(CLIENTS, add))
        found = self.serving.request("GET", f"/v2/images/{image}").json()
        self.assertEqual({f"key{number}" for number in range(CLIENTS)}, {key for key in found if key.startswith("key")})
        self.assertEqual({f"tag{number}" for number in range(CLIENTS)}, set(found["tags"]))

    def test_uploads_of_known_size_fill_the_quota_exactly(self):
        self._fill(lambda: b"x" * 4 * MIB)

    def test_uploads_of_unknown_size_fill_the_quota_exactly(self):
        self._fill(lambda: iter([b"x" * MIB] * 4))

    def _fill(self, make_body):
        images = [self.serving.create_image() for _ in range(UPLOADS)]
        answers = at_once(UPLOADS, lambda number: self.serving.upload(images[number], make_body()).status_code)
        self.assertEqual([204] * ROOM + [413] * (UPLOADS - ROOM), sorted(answers))
        expected = ["active" if answer == 204 else "queued" for answer in answers]
        self.assertEqual(expected, [status_of(self.serving, image) for image in images])
        self.assertEqual(ROOM, len(self.serving.stored_files()))


class PostgresqlAtOnceTest(AtOnce, ServiceTestCase):
    database = "postgresql"


class MariadbAtOnceTest(AtOnce, ServiceTestCase):
    database = "mariadb"


class DatabaseGone:
    """Mix into a case of one ``database``."""

    def setUp(self):
        super().setUp()
        url = make_url(self.fresh_database(self.database))
        self.proxy = self.useFixture(Proxy(url.host, url.port))
        through = url.set(host="127.0.0.1", port=self.proxy.port).render_as_string(hide_password=False)
        options = {"database": {"connection": through}, "server": {"threads": 8, "max_transfers": 6}}
        self.serving = start_service(self, SHORT_LEASES, options)

    def test_requests_are_503_while_it_is_gone_and_served_when_it_is_back(self):
        image = self.serving.create_image()
        path = f"/v2/images/{image}"
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        change = [{"op": "add", "path": "/key", "value": "a"}]

        def send(number):
            return [
                self.serving.request("GET", path),
                self.serving.request("GET", "/v2/images"),
                self.serving.request("POST", "/v2/images", json=body),
                self.serving.request("PATCH", path, json=change, headers=PATCH),
                self.serving.request("PUT", f"{path}/tags/tag{number}"),
                self.serving.upload(image, b"x"),
                self.serving.request("DELETE", path),
            ]

        self.proxy.stop()
        answers = [answer for answers in at_once(16, send) for answer in answers]
        self.assertEqual({(503, "5")}, {(answer.status_code, answer.headers.get("Retry-After")) for answer in answers})
        self.assertEqual(200, self.serving.request("GET", "/healthcheck").status_code)
        self.proxy.start()
        self.assertEqual("queued", status_of(self.serving, image))
        self.assertEqual(204, self.serving.upload(image, b"x").status_code)

    def test_upload_that_ends_while_it_is_gone_is_503_and_leaves_nothing(self):
        for kind in (KNOWN, UNKNOWN):
            image, client = self._begin_upload(kind)
            self.proxy.stop()
            self._finish(client, kind)
            answer = client.response()
            self.assertEqual((503, "5"), (answer.status, answer.headers.get("retry-after")), kind)
            self.proxy.start()
            eventually(lambda image=image: status_of(self.serving, image) == "queued", "the image was freed")
            self.assertEqual([], files_of(self.serving, image))
            self.assertEqual(204, self.serving.upload(image, b"whole").status_code)

    def test_upload_that_fails_while_it_is_gone_leaves_nothing(self):
        image, client = self._begin_upload(UNKNOWN)
        self.proxy.stop()
        client.send("no size\r\n")
        self.assertEqual(400, client.response().status)
        self.proxy.start()
        eventually(lambda: status_of(self.serving, image) == "queued", "the image was freed")
        self.assertEqual([], files_of(self.serving, image))

    def test_upload_survives_a_short_absence(self):
        for kind in (KNOWN, UNKNOWN):
            image, client = self._begin_upload(kind)
            self.proxy.stop()
            time.sleep(1)
            self.proxy.start()
            self._finish(client, kind)
            self.assertEqual(204, client.response().status, kind)
            self.assertEqual("active", status_of(self.serving, image))

    def test_upload_whose_record_was_made_and_not_confirmed_keeps_its_data(self):
        image, client = self._begin_upload(KNOWN)
        self.proxy.loses_commits = True
        self._finish(client, KNOWN)
        self.assertEqual(503, client.response().status)
        self.proxy.loses_commits = False
        self.assertEqual("active", status_of(self.serving, image))
        time.sleep(SHORT_LEASES["transfers"]["lease_seconds"] + 2)
        found = self.serving.request("GET", f"/v2/images/{image}/file").content
        self.assertEqual(b"x" * 2 * MIB, found)

    def _begin_upload(self, kind):
        image = self.serving.create_image()
        client = begin_upload(self, self.serving, image, framing(kind, 2 * MIB))
        client.send(part_of(kind, b"x" * MIB))
        eventually(lambda: files_of(self.serving, image), "the upload began")
        return image, client

    def _finish(self, client, kind):
        client.send(part_of(kind, b"x" * MIB), b"" if kind == KNOWN else b"0\r\n\r\n")


class PostgresqlGoneTest(DatabaseGone, ServiceTestCase):
    database = "postgresql"


class MariadbGoneTest(DatabaseGone, ServiceTestCase):
    database = "mariadb"
