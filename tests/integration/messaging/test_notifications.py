"""What a listener on the real RabbitMQ hears of images and members, also after the broker was away."""

import contextlib
import http.server
import queue
import socket
import threading
import uuid

import fixtures
import kombu
import oslo_messaging
import requests
from oslo_config import cfg

from tests.integration.base import ServiceTestCase
from tests.integration.served import Served
from tests.ports import free_port

WAIT_SECONDS = 60
PRIORITIES = ("info", "warn", "error")
IMAGE_KEYS = {
    *("id", "name", "status", "created_at", "updated_at", "min_disk", "min_ram", "protected", "checksum", "owner"),
    *("disk_format", "container_format", "size", "virtual_size", "is_public", "visibility", "properties", "tags"),
    *("deleted", "deleted_at", "os_hash_algo", "os_hash_value", "os_hidden"),
}
IMPORT_KEYS = {"os_glance_importing_to_stores", "os_glance_failed_import"}
MEMBER_KEYS = {"image_id", "member_id", "status", "created_at", "updated_at", "deleted", "deleted_at"}
SEND_KEYS = {"bytes_sent", "image_id", "owner_id", "receiver_tenant_id", "receiver_user_id"}
FAILURE_KEYS = {"operation", "image_id", "request_id", "code", "message"}

CONFIGURATION = """
[DEFAULT]
transport_url = {url}
show_multiple_locations = true
enabled_backends = images:file,web:http
[oslo_messaging_notifications]
driver = messagingv2
topics = {topic}
[oslo_messaging_rabbit]
rabbit_interval_max = 1
"""


class Listener(fixtures.Fixture):
    """Hears what is told on a topic; one thread, so that the order is the broker's."""

    def __init__(self, url, topic):
        super().__init__()
        self._url = url
        self._topic = topic
        self.heard = queue.Queue()

    def _setUp(self):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        transport = oslo_messaging.get_notification_transport(conf, url=self._url)
        self.addCleanup(transport.cleanup)
        self.addCleanup(self._delete_queues)
        endpoint = type("Endpoint", (), {name: self._hearing(name) for name in PRIORITIES})()
        target = oslo_messaging.Target(topic=self._topic, exchange="glance")
        listener = oslo_messaging.get_notification_listener(transport, [target], [endpoint], executor="threading")
        listener.start(override_pool_size=1)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.stop)

    def _hearing(self, priority):
        def hear(_endpoint, _context, publisher_id, event_type, payload, _metadata):
            self.heard.put((priority, publisher_id, event_type, payload))

        return hear

    def _delete_queues(self):
        with _connection(self._url) as connection:
            for priority in PRIORITIES:
                connection.default_channel.queue_delete(f"{self._topic}.{priority}")

    def take(self, count):
        """Return the next ``count`` notifications as (priority, publisher, type, payload)."""
        return [self.heard.get(timeout=WAIT_SECONDS) for _ in range(count)]


def _connection(url):
    return kombu.Connection(url.replace("rabbit://", "amqp://"))


class Wire:
    """A port of its own that leads to the broker, until it is cut."""

    def __init__(self, url):
        self._broker = _connection(url)
        self.port = free_port()
        self._ends = []
        self._listening = None

    def url(self):
        """Return the address of the broker by this way."""
        user = f"{self._broker.userid}:{self._broker.password}"
        return f"rabbit://{user}@127.0.0.1:{self.port}/{self._broker.virtual_host.lstrip('/')}"

    def join(self):
        """Let connections through."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self):
        """End all connections and refuse new ones."""
        ends, self._ends = [self._listening, *self._ends], []
        for end in filter(None, ends):
            _end(end)
        self._listening = None

    def _accept(self, listening):
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection((self._broker.hostname, self._broker.port or 5672))
            except OSError:
                return
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _end(source)
    _end(target)


def _end(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Site(fixtures.Fixture):
    """A web server with one page, until it is closed."""

    def __init__(self, content):
        super().__init__()
        self._content = content

    def _setUp(self):
        content = self._content

        class Page(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()

            def do_GET(self):
                self.do_HEAD()
                self.wfile.write(content)

            def log_message(self, *_words):
                """Say nothing."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Page)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.addCleanup(self.close)

    def close(self):
        """Answer no more; may be repeated."""
        self._server.shutdown()
        self._server.server_close()


class NotificationTestCase(ServiceTestCase):
    """A service of the token flavour with two users, and a listener to what it tells."""

    def setUp(self):
        super().setUp()
        self.broker = self.service("rabbitmq")["TEST_RABBITMQ_URL"]
        self.topic = f"glance_mini_{uuid.uuid4().hex}"
        self.listener = self.useFixture(Listener(self.broker, self.topic))

    def start(self, url, more=""):
        """Start the service, which finds its broker at ``url``."""
        users = {"alice": ("demo", "member"), "bob": ("other", "member")}
        self.served = self.useFixture(Served(CONFIGURATION.format(url=url, topic=self.topic) + more, users=users))

    def ask(self, user, method, path, status, **arguments):
        """Return the answer, which has that status, to a request that must not wait for the broker."""
        headers = {"X-Auth-Token": self.served.tokens[user], **arguments.pop("headers", {})}
        answer = requests.request(method, self.served.url + path, headers=headers, timeout=5, **arguments)
        self.assertEqual(status, answer.status_code, answer.text)
        return answer

    def create(self, **properties):
        """Return the path of a new image of alice."""
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **properties}
        return self.ask("alice", "POST", "/v2/images", 201, json=body).json()["self"]

    def upload(self, image, data, status=204):
        """Upload ``data`` as alice."""
        headers = {"Content-Type": "application/octet-stream"}
        self.ask("alice", "PUT", f"{image}/file", status, data=data, headers=headers)

    def patch(self, image, status, **change):
        """Make one change as alice."""
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        return self.ask("alice", "PATCH", image, status, json=[change], headers=headers)

    def assert_silent(self):
        """Nothing more is told: what a last change tells is the next thing that is heard."""
        self.create(name="the last one")
        self.assertEqual("the last one", self.listener.take(1)[0][3]["name"])


class HeardTest(NotificationTestCase):
    def test_life_of_an_image_is_published_once_and_in_order(self):
        self.start(self.broker)
        image = self.create(x_own="1", tags=["x86"])
        self.upload(image, b"content")
        self.patch(image, 200, op="replace", path="/name", value="renamed")
        self.ask("alice", "PUT", f"{image}/tags/new", 204)
        self.assertEqual(b"content", self.ask("alice", "GET", f"{image}/file", 200).content)
        # What was sent is told at the end of the answer, when the client may be on its way again.
        events = self.listener.take(8)
        self.ask("alice", "POST", f"{image}/actions/deactivate", 204)
        self.ask("alice", "DELETE", image, 204)
        events += self.listener.take(2)
        self.assertEqual(
            [
                *("image.create", "image.prepare", "image.upload", "image.activate", "image.update"),
                *("image.update", "image.update", "image.send", "image.update", "image.delete"),
            ],
            [event for _, _, event, _ in events],
        )
        self.assertEqual({("info", "image.localhost")}, {event[:2] for event in events})
        payloads = [payload for *_, payload in events]
        create, prepare, upload, activate, _, renamed, tagged, send, deactivated, delete = payloads
        for payload in (create, activate, renamed, tagged, deactivated, delete):
            self.assertEqual(IMAGE_KEYS, set(payload))
        self.assertEqual(IMAGE_KEYS | IMPORT_KEYS, set(upload))
        self.assertEqual(IMAGE_KEYS | IMPORT_KEYS, set(prepare) - {"backend"})
        self.assertEqual(SEND_KEYS, set(send))
        self.assertEqual(
            ("queued", "demo", {"x_own": "1"}, ["x86"], False),
            tuple(create[name] for name in ("status", "owner", "properties", "tags", "deleted")),
        )
        self.assertEqual(("active", 7), (activate["status"], activate["size"]))
        self.assertEqual(("renamed", "deactivated"), (renamed["name"], deactivated["status"]))
        receiver = (send["receiver_tenant_id"], send["receiver_user_id"])
        self.assertEqual((7, ("demo", "alice")), (send["bytes_sent"], receiver))
        self.assertTrue(delete["deleted"])
        self.assertIsNotNone(delete["deleted_at"])
        self.assert_silent()

    def test_membership_is_told_once_and_in_order(self):
        self.start(self.broker)
        image = self.create()
        self.ask("alice", "POST", f"{image}/members", 200, json={"member": "other"})
        self.ask("bob", "PUT", f"{image}/members/other", 200, json={"status": "accepted"})
        self.ask("alice", "DELETE", f"{image}/members/other", 204)
        _, *events = self.listener.take(4)
        told = [(event, payload["status"], payload["deleted"]) for *_, event, payload in events]
        self.assertEqual(
            [
                ("image.member.create", "pending", False),
                ("image.member.update", "accepted", False),
                ("image.member.delete", "accepted", True),
            ],
            told,
        )
        for *_, payload in events:
            self.assertEqual((MEMBER_KEYS, "other"), (set(payload), payload["member_id"]))
        self.assert_silent()

    def test_refusals_are_warnings_and_failures_errors(self):
        self.start(self.broker)
        image = self.create(protected=True, disk_format="qcow2")
        self.ask("alice", "DELETE", image, 403)
        self.upload(image, b"no qcow2", status=415)
        events = self.listener.take(4)
        told = {(priority, event) for priority, _, event, _ in events}
        self.assertEqual(
            {
                ("info", "image.create"),
                ("warn", "image.delete"),
                ("info", "image.prepare"),
                ("error", "image.upload"),
            },
            told,
        )
        for priority, _, _, payload in events:
            if priority != "info":
                self.assertEqual(FAILURE_KEYS, set(payload))
                self.assertEqual(image, f"/v2/images/{payload['image_id']}")
        self.assert_silent()

    def test_data_that_cannot_be_read_is_an_error_without_the_credentials_of_its_location(self):
        site = self.useFixture(Site(b"content"))
        allowed = f"[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports = {site.port}\n"
        self.start(self.broker, allowed)
        location = f"http://somebody:hunter2@127.0.0.1:{site.port}/disk.raw"
        image = self.create()
        self.patch(image, 200, op="add", path="/locations/-", value={"url": location, "metadata": {}})
        site.close()
        self.ask("alice", "GET", f"{image}/file", 503)
        events = self.listener.take(3)
        self.assertIn(("error", "image.send"), [(priority, event) for priority, _, event, _ in events])
        secrets = ("hunter2", *self.served.tokens.values())
        told = str(events) + self.served.log.read_text()
        self.assertEqual([], [secret for secret in secrets if secret in told])

    def test_download_that_the_client_ends_is_an_error_with_the_bytes_that_went_out(self):
        self.start(self.broker)
        size = 64 * 1024 * 1024
        image = self.create()
        self.upload(image, b"x" * size)
        headers = {"X-Auth-Token": self.served.tokens["alice"]}
        with requests.get(f"{self.served.url}{image}/file", headers=headers, stream=True, timeout=30) as answer:
            self.assertEqual(b"x" * 1000, answer.raw.read(1000))
        priority, _, event, payload = self.listener.take(6)[-1]
        self.assertEqual(("error", "image.send"), (priority, event))
        self.assertLess(0, payload["bytes_sent"])
        self.assertLess(payload["bytes_sent"], size)

    def test_disabled_types_are_not_told(self):
        self.start(self.broker, "[DEFAULT]\ndisabled_notifications = image.update,image.member.create\n")
        image = self.create()
        self.patch(image, 200, op="replace", path="/name", value="renamed")
        self.ask("alice", "POST", f"{image}/members", 200, json={"member": "other"})
        self.ask("alice", "DELETE", image, 204)
        self.assertEqual(["image.create", "image.delete"], [event for _, _, event, _ in self.listener.take(2)])


class BrokerAwayTest(NotificationTestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self.broker)
        self.addCleanup(self.wire.cut)

    def test_events_wait_in_order_while_the_broker_is_away_and_requests_do_not(self):
        self.wire.join()
        self.start(self.wire.url())
        self.create(name="before")
        self.assertEqual(["before"], self._names(1))
        self.wire.cut()
        for number in range(20):
            self.create(name=str(number))
        self.assertEqual([], list(self.listener.heard.queue))
        self.wire.join()
        self.assertEqual([str(number) for number in range(20)], self._names(20))
        self.create(name="after")
        self.assertEqual(["after"], self._names(1))

    def test_broker_that_is_away_at_the_start_gets_the_events_later(self):
        self.start(self.wire.url())
        self.create(name="early")
        self.wire.join()
        self.assertEqual(["early"], self._names(1))

    def _names(self, count):
        return [payload["name"] for *_, payload in self.listener.take(count)]
