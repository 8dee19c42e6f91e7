"""What the tests of faults share: a service with options of the test, and uploads sent byte by byte."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import fixtures
from testtools.content import content_from_file

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service
from tests.http_server.running import Client

MIB = 1024 * 1024
KNOWN, UNKNOWN = "Content-Length", "Transfer-Encoding"
SHORT_LEASES = {"transfers": {"lease_seconds": 3, "reaper_interval": 1}}


def make_state(path, *options):
    """Return the path of a new state directory at ``path`` whose configuration has ``options`` by group and name."""
    state = StateDirectory(Path(path))
    state.create()
    with open(state.config_file, "a", encoding="utf-8") as file:
        for groups in options:
            for group, values in groups.items():
                file.write(f"\n[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()))
    return state.path


def start_service(test, *options, state=None, words=(), **arguments):
    """Return a service that ends with ``test``; ``state`` is its state directory, a new one where None."""
    if state is None:
        state = make_state(test.useFixture(fixtures.TempDir()).join("state"), *options)
    return test.useFixture(Service(state, *words, **arguments))


def serve_with_web_store(case, server):
    """Return a service for all tests of the class ``case``, with a store ``web`` that reads from any port of 127.0.0.1.

    ``server`` are its options of the group ``server``.
    """
    ports = ",".join(map(str, range(1024, 65536)))
    filters = {"allowed_hosts": "127.0.0.1", "allowed_ports": ports}
    folder = use_for_class(case, fixtures.TempDir())
    state = make_state(folder.join("state"), {"server": server, "import_filtering_opts": filters})
    config = state / "glance-mini.conf"
    config.write_text(config.read_text().replace("images:file", "images:file,web:http", 1))
    return use_for_class(case, Service(state))


def use_for_class(case, fixture):
    """Return ``fixture`` in use until all tests of the class ``case`` are over."""
    fixture.setUp()
    case.addClassCleanup(fixture.cleanUp)
    return fixture


def show_log(test, service):
    """Show the log of a service that outlives ``test`` where that fails."""
    test.addDetail("service", content_from_file(service.log, buffer_now=False))


class SharedService:
    """A mix-in: one service, with the ``options`` of the class, for all tests of a class; it runs no jobs."""

    options = {}
    words = ("--no-worker",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = use_for_class(cls, fixtures.TempDir())
        state = make_state(folder.join("state"), SHORT_LEASES, cls.options)
        cls.service = use_for_class(cls, Service(state, *cls.words))

    def setUp(self):
        super().setUp()
        show_log(self, self.service)

    def upload(self, image, *headers):
        """Return a connection on which the head of an upload has been sent."""
        return begin_upload(self, self.service, image, *headers)

    def assert_queued_and_empty(self, image, service=None):
        """Nothing is left of the upload now."""
        service = service or self.service
        self.assertEqual(("queued", []), (status_of(service, image), files_of(service, image)))


def begin_upload(test, service, image, *headers, token=None):
    """Return a connection on which the head of an upload with ``headers`` has been sent; it ends with ``test``.

    ``token`` is the administrator's if it is None.
    """
    client = connect(test, service)
    head = [
        f"PUT /v2/images/{image}/file HTTP/1.1",
        "Host: localhost",
        f"X-Auth-Token: {token or service.token}",
        "Content-Type: application/octet-stream",
        *headers,
    ]
    client.send("\r\n".join([*head, "", ""]))
    return client


def connect(test, service, **arguments):
    """Return a connection to the service."""
    return Client(test, SimpleNamespace(address=("127.0.0.1", service.port)), **arguments)


def framing(kind, size):
    """Return the header that announces a body of ``size`` bytes."""
    return f"{KNOWN}: {size}" if kind == KNOWN else f"{UNKNOWN}: chunked"


def part_of(kind, data):
    """Return ``data`` as a part of a body: as it is, or as one chunk."""
    return data if kind == KNOWN else b"%x\r\n%s\r\n" % (len(data), data)


def status_of(service, image):
    """Return the status of an image."""
    return service.request("GET", f"/v2/images/{image}").json()["status"]


def files_of(service, image):
    """Return the files in the store that belong to an image, visible or not."""
    return [path for path in service.stored_files() if image in path.name]


def at_once(count, work):
    """Return what ``work`` returned for each number below ``count``, all begun at the same time."""
    barrier = threading.Barrier(count)

    def begin(number):
        barrier.wait(30)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def workers_of(service):
    """Return the process ids of the workers of a service."""
    master = service.process.pid
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def is_listening(port):
    """Tell whether anybody listens on a port on loopback."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
