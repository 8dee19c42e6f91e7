"""The memory of transfers and the slots of a project, with the real service: shares are bounded and given back."""

import lzma
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import fixtures
import testtools

from benchmarks import processes
from tests import programs
from tests.functional.faults import begin_upload, make_state, show_log, start_service, status_of, use_for_class
from tests.functional.importing import DIRECT, begin_import, end_of_import, stage, web
from tests.functional.service import Service
from tests.http_server.running import eventually
from tests.unit.imports.raw_server import response
from tests.unit.store.dripping import DrippingServer

MIB = 1024 * 1024
BUDGET = 64
SHARES = BUDGET // 4
JOBS = 6
SIZE = 68 * MIB
BEYOND = 128
"""MiB that a process may take beside the budget."""

BODY = "Content-Length: {}"


class Gauge(fixtures.Fixture):
    """Watches the memory of each process of a service; ``peak`` is that of the largest, in MiB."""

    def __init__(self, service):
        super().__init__()
        self.pid = service.process.pid
        self.peak = 0.0

    def _setUp(self):
        self._ended = threading.Event()
        thread = threading.Thread(target=self._watch)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self._ended.set)

    def _watch(self):
        while not self._ended.wait(0.05):
            sizes = [processes.own_pss_mib(pid) for pid in processes.tree(self.pid)]
            self.peak = max(self.peak, *sizes)


class TestBudget(testtools.TestCase):
    def serve(self, **transfers):
        """Return a service that fetches from 127.0.0.1, with these options for transfers."""
        ports = ",".join(map(str, range(1024, 65536)))
        return start_service(
            self,
            {
                "transfers": transfers,
                "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": ports},
                "image_import_opts": {"image_import_plugins": "image_decompression"},
                "workers": {"threads": JOBS, "jobs_per_project": JOBS},
            },
            fresh=True,
        )

    def test_many_fast_and_slow_transfers_and_jobs_all_end_within_the_budget(self):
        service = self.serve(memory_mib=BUDGET, memory_wait=300)
        data = bytes(range(256)) * (12 * MIB // 256)
        source = service.create_image()
        self.assertEqual(204, service.upload(source, data).status_code)
        server = self.useFixture(DrippingServer(response(data), interval=60))
        gauge = self.useFixture(Gauge(service))

        slow = self.hold_uploads(service, 8, len(data))
        imports = [service.create_image() for _ in range(6)]
        for image in imports[:3]:
            begin_import(service, image, web(server.url()))
        for image in imports[3:]:
            self.assertEqual(204, stage(service, image, data).status_code)
            begin_import(service, image, DIRECT)

        def transfer(number):
            if number % 3 == 0:
                answer = service.request("GET", f"/v2/images/{source}/file", headers={"Range": "bytes=1-"})
                return answer.content == data[1:]
            return service.upload(service.create_image(), data).status_code == 204

        with ThreadPoolExecutor(40) as pool:
            self.assertEqual({True}, set(pool.map(transfer, range(40))))
        for client in slow:
            client.send(data[MIB:])
            self.assertEqual(204, client.response().status)
        for image in imports:
            self.assertEqual("active", end_of_import(service, image)[0]["status"])
        self.assertLess(gauge.peak, BUDGET + BEYOND)

    def test_windows_of_compressed_images_come_from_the_budget(self):
        budget = 128
        service = self.serve(memory_mib=budget)
        # Each needs a window of 64 MiB and fills it.
        window = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 64 * MIB}
        packed = lzma.compress(bytes(SIZE), filters=[window])
        gauge = self.useFixture(Gauge(service))
        images = [service.create_image() for _ in range(JOBS)]
        for image in images:
            self.assertEqual(204, stage(service, image, packed).status_code)
            begin_import(service, image, DIRECT)
        for image in images:
            self.assertEqual(SIZE, end_of_import(service, image)[0]["size"])
        self.assertLess(gauge.peak, budget + BEYOND)

    def test_memory_is_given_back_by_clients_that_break_off_and_by_transfers_that_fail(self):
        service = self.serve(memory_mib=BUDGET, memory_wait=1)
        source = service.create_image()
        self.assertEqual(204, service.upload(source, bytes(16 * MIB)).status_code)

        for _ in range(2):
            uploads = self.hold_uploads(service, SHARES, 8 * MIB)
            self.assert_full(service)
            for client in uploads:
                client.close()
            downloads = self.hold_downloads(service, source)
            self.assert_full(service)
            for client in downloads:
                client.close()
            self.fail_transfers(service, source)
        self.hold_uploads(service, SHARES, 8 * MIB)
        self.assert_full(service)

    def fail_transfers(self, service, source):
        """Make more transfers that fail than there are shares, each in one of several ways."""
        for _ in range(SHARES):
            taken = service.upload(source, b"again")
            self.assertEqual(409, taken.status_code)
            larger = service.request(
                "PUT",
                f"/v2/images/{service.create_image()}/file",
                data=b"more",
                headers={"Content-Type": "application/octet-stream", "x-openstack-image-size": "3"},
            )
            self.assertEqual(400, larger.status_code)
            unsafe = service.upload(service.create_image(disk_format="qcow2"), b"is not qcow2")
            self.assertEqual(415, unsafe.status_code)

    def hold_uploads(self, service, count, size):
        """Return connections of uploads that have begun and stay."""
        images = [service.create_image() for _ in range(count)]
        clients = [begin_upload(self, service, image, BODY.format(size)) for image in images]
        for client, image in zip(clients, images, strict=True):
            client.send(bytes(range(256)) * (MIB // 256))
            eventually(lambda image=image: status_of(service, image) == "saving", "it has begun")
        return clients

    def hold_downloads(self, service, image):
        """Return connections of downloads of a part, which have begun and are not read."""
        clients = []
        text = f"GET /v2/images/{image}/file HTTP/1.1\r\nHost: test\r\nX-Auth-Token: {service.token}\r\n"
        while len(clients) < SHARES:
            client = socket.socket()
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(60)
            client.connect(("127.0.0.1", service.port))
            client.sendall(f"{text}Range: bytes=1-\r\n\r\n".encode())
            if client.recv(12) == b"HTTP/1.1 206":
                clients.append(client)
        return clients

    def assert_full(self, service):
        """A further upload is asked to come later, and small requests are answered."""
        answer = service.upload(service.create_image(), b"data")
        self.assertEqual((503, "5"), (answer.status_code, answer.headers.get("Retry-After")), answer.text)


class TestProjects(testtools.TestCase):
    """Four transfers at once, so two for one project."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = use_for_class(cls, fixtures.TempDir())
        state = make_state(folder.join("state"), {"server": {"max_transfers": 4}})
        cls.service = use_for_class(cls, Service(state, "--no-worker"))
        cls.one, cls.other = (cls.add_user(state, name) for name in ("one", "other"))

    @staticmethod
    def add_user(state, name):
        words = ("user", "add", name, "--token", "--role", "member", "--state", state)
        made = programs.run("glance_mini.cmd.manage", *words)
        return {"X-Auth-Token": made.stdout.split()[-1]}

    def setUp(self):
        super().setUp()
        show_log(self, self.service)

    def create_as(self, headers):
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        return self.service.request("POST", "/v2/images", json=body, headers=headers).json()["id"]

    def upload_as(self, headers):
        """Return the status of an upload, and that of its download if it passed."""
        image, path = self.create_as(headers), "/v2/images/{}/file"
        headers = {**headers, "Content-Type": "application/octet-stream"}
        uploaded = self.service.request("PUT", path.format(image), data=b"x" * MIB, headers=headers)
        if uploaded.status_code != 204:
            return uploaded.status_code, uploaded.headers.get("Retry-After")
        return 204, len(self.service.request("GET", path.format(image), headers=headers).content)

    def test_slow_transfers_of_one_project_leave_slots_to_others(self):
        self.assertEqual((204, MIB), self.upload_as(self.one))
        clients = []
        for _ in range(2):
            image = self.create_as(self.one)
            size, token = BODY.format(8 * MIB), self.one["X-Auth-Token"]
            clients.append(begin_upload(self, self.service, image, size, token=token))
            eventually(lambda image=image: status_of(self.service, image) == "saving", "it has begun")
        self.assertEqual((503, "5"), self.upload_as(self.one))
        self.assertEqual((204, MIB), self.upload_as(self.other))
        self.assertEqual((204, MIB), self.upload_as({"X-Auth-Token": self.service.token}))
        for client in clients:
            client.close()
        eventually(lambda: self.upload_as(self.one) == (204, MIB), "the slots were given back")
