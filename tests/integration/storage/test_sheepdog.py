"""The whole service with a store of the Sheepdog driver, whose cluster is a directory behind a stand-in for dog."""

import hashlib
from pathlib import Path

import requests
from fixtures import TempDir
from testtools import TestCase

from glance_mini_store.testing.content import pattern, pieces
from tests.integration.served import Served
from tests.integration.storage.sheepdog.stand_in import install

MIB = 1024 * 1024

SERVICE = """
[DEFAULT]
enabled_backends = images:file,dogs:sheepdog
[glance_store]
default_backend = dogs
[dogs]
sheepdog_dog_path = {program}
sheepdog_store_chunk_size = 2
"""


class TestService(TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(TempDir()).path)
        configuration = SERVICE.format(program=install(self.root))
        self.served = self.useFixture(Served(configuration, users={"alice": ("lab", "member")}))

    def request(self, method, path, **more):
        headers = {"X-Auth-Token": self.served.tokens["alice"], **more.pop("headers", {})}
        return requests.request(method, self.served.url + path, headers=headers, timeout=60, **more)

    def create(self):
        settings = {"name": "n", "disk_format": "raw", "container_format": "bare"}
        return self.request("POST", "/v2/images", json=settings).json()["id"]

    def upload(self, image, data):
        content = {"Content-Type": "application/octet-stream"}
        return self.request("PUT", f"/v2/images/{image}/file", data=data, headers=content).status_code

    def disks(self):
        return [path.name[:36] for path in self.root.glob("disks/*")]

    def test_image_is_uploaded_read_by_range_and_deleted(self):
        data = pattern(5 * MIB + 3)
        for body in (data, pieces(data)):
            image = self.create()
            self.assertEqual(204, self.upload(image, body))
            self.assertEqual([image], self.disks())
            shown = self.request("GET", f"/v2/images/{image}").json()
            self.assertEqual(hashlib.sha512(data).hexdigest(), shown["os_hash_value"])
            self.assertEqual(data, self.request("GET", f"/v2/images/{image}/file").content)
            answer = self.request("GET", f"/v2/images/{image}/file", headers={"Range": f"bytes={MIB}-"})
            self.assertEqual((206, data[MIB:]), (answer.status_code, answer.content))
            self.assertEqual(204, self.request("DELETE", f"/v2/images/{image}").status_code)
            self.assertEqual([], self.disks())

    def test_full_cluster_is_413_and_a_failing_one_503(self):
        for fault, status in (("writing full", 413), ("writing fail", 503)):
            (self.root / "fault").write_text(fault)
            image = self.create()
            self.assertEqual(status, self.upload(image, pattern(3 * MIB)))
            self.assertEqual("queued", self.request("GET", f"/v2/images/{image}").json()["status"])
            self.assertEqual([], self.disks())
