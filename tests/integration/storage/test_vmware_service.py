"""The whole service with a store on the vCenter simulator."""

import hashlib

import requests

from glance_mini_store.testing.content import pattern, pieces
from tests.integration.served import Served
from tests.integration.storage.vcenter import VcenterTestCase

MIB = 1024 * 1024

SERVICE = """
[DEFAULT]
enabled_backends = images:file,vm:vmware
[glance_store]
default_backend = vm
[vm]
vmware_server_host = {TEST_VCENTER}
vmware_server_scheme = http
vmware_server_username = {TEST_VCENTER_USER}
vmware_server_password = {TEST_VCENTER_PASSWORD}
vmware_datastores = {TEST_VCENTER_DATACENTER}:{TEST_VCENTER_DATASTORE}:10
vmware_store_image_dir = /images/{folder}
vmware_task_poll_interval = 0.1
"""


class TestService(VcenterTestCase):
    """The whole service with a store of this driver."""

    def setUp(self):
        super().setUp()
        self.unchecked()
        users = {"alice": ("lab", "member"), "root": ("lab", "admin")}
        self.served = self.useFixture(Served(SERVICE.format(folder=self.folder, **self.vcenter), users=users))

    def request(self, method, path, user="alice", **more):
        headers = {"X-Auth-Token": self.served.tokens[user], **more.pop("headers", {})}
        return requests.request(method, self.served.url + path, headers=headers, timeout=60, **more)

    def upload(self, data):
        settings = {"name": "n", "disk_format": "raw", "container_format": "bare"}
        image = self.request("POST", "/v2/images", json=settings).json()["id"]
        content = {"Content-Type": "application/octet-stream"}
        self.assertEqual(204, self.request("PUT", f"/v2/images/{image}/file", data=data, headers=content).status_code)
        return image

    def test_image_is_uploaded_read_by_range_and_deleted(self):
        data = pattern(5 * MIB + 3)
        for body in (data, pieces(data)):
            image = self.upload(body)
            self.assertEqual([image], [name[:36] for name in self.stored()])
            shown = self.request("GET", f"/v2/images/{image}").json()
            self.assertEqual(
                ("active", len(data), "vm", hashlib.sha512(data).hexdigest()),
                (shown["status"], shown["size"], shown["stores"], shown["os_hash_value"]),
            )
            self.assertEqual(data, self.request("GET", f"/v2/images/{image}/file").content)
            for value, part in (("bytes=7-9", data[7:10]), ("bytes=-5", data[-5:]), (f"bytes={MIB}-", data[MIB:])):
                answer = self.request("GET", f"/v2/images/{image}/file", headers={"Range": value})
                self.assertEqual((206, part), (answer.status_code, answer.content))
            self.assertEqual(204, self.request("DELETE", f"/v2/images/{image}").status_code)
            self.assertEqual([], self.stored())

    def test_detailed_list_names_the_store_without_credentials(self):
        answer = self.request("GET", "/v2/info/stores/detail", "root")
        (store,) = [store for store in answer.json()["stores"] if store["id"] == "vm"]
        self.assertEqual(("vmware", ["DC0:LocalDS_0:10"]), (store["type"], store["properties"]["datastores"]))
        self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], answer.text)
        self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], self.served.log.read_text())
