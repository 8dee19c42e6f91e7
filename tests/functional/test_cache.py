"""The cache in front of the real service with two processes: shared reads, kills, and the clients."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import fixtures
import requests
import testtools

from tests.functional.faults import MIB, make_state
from tests.functional.service import Client, Service
from tests.http_server.running import eventually
from tests.unit.store.web import Page, WebServer

PORTS = ",".join(map(str, range(1024, 65536)))


class CacheServiceTest(testtools.TestCase):
    """A service with two processes and a cache, whose images are on a web server that notes what it is asked."""

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.web = self.useFixture(WebServer())
        self.state = make_state(self.root / "state", self.options("state"))
        self.add_web_store(self.state)

    def options(self, name, **cache):
        own = {
            "image_cache_dir": self.root / f"{name}-cache",
            "image_cache_driver": "sqlite",
            "do_secure_hash": "false",
            **cache,
        }
        filters = {"allowed_hosts": "127.0.0.1", "allowed_ports": PORTS}
        return {"DEFAULT": own, "import_filtering_opts": filters, "cache": {"check_interval": 1}}

    def add_web_store(self, state):
        config = state / "glance-mini.conf"
        config.write_text(config.read_text().replace("images:file", "images:file,web:http", 1))

    def start(self, state=None):
        return self.useFixture(Service(state or self.state, "--no-worker", "--workers", "2"))

    def locate(self, service, size, seconds=0.0):
        """Return an active image on the web server, and its data."""
        data, path = os.urandom(size), f"/{os.urandom(4).hex()}"
        self.web.pages[path] = Page(data, seconds=seconds)
        image = service.create_image()
        answer = service.request("POST", f"/v2/images/{image}/locations", json={"url": self.web.url(path)})
        self.assertEqual(202, answer.status_code, answer.text)
        self.assertEqual("active", service.request("GET", f"/v2/images/{image}").json()["status"])
        self.web.asked.clear()
        return image, data

    def download(self, service, image, **headers):
        return service.request("GET", f"/v2/images/{image}/file", headers=headers)

    def gets(self):
        return sum(asked.method == "GET" for asked in self.web.asked)

    def cached(self, service):
        return [each["image_id"] for each in service.request("GET", "/v2/cache").json()["cached_images"]]


class SharedReadTest(CacheServiceTest):
    def test_sixteen_readers_of_two_processes_read_the_server_once(self):
        service = self.start()
        image, data = self.locate(service, 24 * MIB, seconds=2)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.download(service, image), range(16)))
        self.assertEqual({(200, data)}, {(answer.status_code, answer.content) for answer in answers})
        self.assertEqual(1, self.gets())
        self.assertEqual(data[5 : MIB + 9], self.download(service, image, Range=f"bytes=5-{MIB + 8}").content)
        self.assertEqual(data, self.download(service, image).content)
        self.assertEqual(1, self.gets())
        self.assertEqual([image], self.cached(service))

    def test_who_waits_and_hangs_up_ends_the_read(self):
        service = self.start()
        image, _ = self.locate(service, 24 * MIB, seconds=60)
        url = f"{service.cloud['image_endpoint_override']}/v2/images/{image}/file"
        answer = requests.get(url, headers={"X-Auth-Token": service.token}, stream=True, timeout=30)
        answer.close()
        eventually(lambda: not self.is_reading(service), "the read ends")
        self.assertEqual([], self.cached(service))

    def is_reading(self, service):
        return 'glance_mini_transfers{direction="out"} 1.0' in service.request("GET", "/metrics").text


class KilledServiceTest(CacheServiceTest):
    def test_a_service_that_is_killed_while_it_fills_serves_no_half_image(self):
        service = self.start()
        image, data = self.locate(service, 24 * MIB, seconds=6)
        reader = threading.Thread(target=self.read_until_killed, args=(service, image))
        reader.start()
        eventually(lambda: self.size_on_disk() > 4 * MIB, "the cache fills")
        service.stop(signal.SIGKILL)
        reader.join()
        self.assertLess(self.size_on_disk(), 24 * MIB)
        again = self.start()
        self.assertEqual([], self.cached(again))
        [page] = [page for page in self.web.pages.values() if page.data == data]
        page.seconds = 0
        self.web.asked.clear()
        self.assertEqual(data, self.download(again, image).content)
        [asked] = [asked for asked in self.web.asked if asked.method == "GET"]
        self.assertRegex(asked.headers["Range"], "bytes=[1-9]")
        self.assertEqual(data, self.download(again, image).content)
        self.assertEqual([image], self.cached(again))

    def read_until_killed(self, service, image):
        with suppress(requests.RequestException):
            self.download(service, image)
            self.fail("all of the image came")

    def size_on_disk(self):
        return sum(path.stat().st_blocks * 512 for path in self.root.glob("state-cache/images/*/data"))


class CacheClientsTest(CacheServiceTest):
    def test_openstack_and_glance(self):
        service = self.start()
        image, data = self.locate(service, 3 * MIB)
        client = self.useFixture(Client(self.state / "clouds.yaml"))
        for queue, show, delete, clear in (
            (
                ("openstack", "--os-cloud", "glance-mini", "cached", "image", "queue"),
                ("openstack", "--os-cloud", "glance-mini", "cached", "image", "list"),
                ("openstack", "--os-cloud", "glance-mini", "cached", "image", "delete"),
                ("openstack", "--os-cloud", "glance-mini", "cached", "image", "clear"),
            ),
            (
                (*self.glance(service), "cache-queue"),
                (*self.glance(service), "cache-list"),
                (*self.glance(service), "cache-delete"),
                (*self.glance(service), "cache-clear"),
            ),
        ):
            client.call(*queue, image)
            eventually(lambda: self.cached(service) == [image], "the image is cached")
            self.assertIn(image, client.call(*show))
            client.call(*delete, image)
            self.assertEqual([], self.cached(service))
            self.assertEqual(data, self.download(service, image).content)
            client.call(*clear)
            self.assertEqual([], self.cached(service))

    def glance(self, service):
        url = service.cloud["image_endpoint_override"]
        return "glance", "--os-auth-token", service.token, "--os-image-url", url
