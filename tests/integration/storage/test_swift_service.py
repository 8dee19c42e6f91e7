"""The image service with ``swift`` stores, single-tenant and multi-tenant, through HTTP, under a real Keystone."""

import contextlib

import requests

from tests.http_server.running import eventually
from tests.integration.clients.test_clients_keystone import KeystoneTestCase
from tests.integration.storage.swift_account import Account, keystone_account, tempauth_account
from tests.integration.storage.swift_case import SwiftTestCase

CONTENT = bytes(range(256)) * 10_000

CONFIGURATION = """
[DEFAULT]
enabled_backends = single:swift,projects:swift
show_multiple_locations = true
[glance_store]
default_backend = single
[backend_defaults]
swift_store_container = {container}
swift_store_create_container_on_put = true
swift_store_large_object_size = 1
swift_store_large_object_chunk_size = 1
[single]
swift_store_config_file = {references}
[projects]
swift_store_multi_tenant = true
swift_store_auth_address = {keystone}
swift_store_user = service:glance
swift_store_key = {password}
[transfers]
lease_seconds = 3
reaper_interval = 1
"""


class TestService(SwiftTestCase, KeystoneTestCase):
    def setUp(self):
        super().setUp()
        configuration = CONFIGURATION.format(
            container=self.container,
            references=self.references(ref1=self.tempauth_reference()),
            keystone=self.swift["TEST_KEYSTONE_URL"],
            password=self.swift["TEST_KEYSTONE_PASSWORD"],
        )
        self.start(configuration)
        self.one = tempauth_account(self.swift)
        self.alice = keystone_account(self.swift, "alice", "demo")
        self.bob = keystone_account(self.swift, "bob", "other")
        self.service_account = keystone_account(self.swift, "glance", "service")
        for account in (self.one, self.alice, self.service_account):
            self.addCleanup(account.remove, self.container)

    def stored(self, store, **properties):
        """Return the id of an image of alice with data in ``store``."""
        image = self.create("alice", **properties)
        headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": store}
        path = f"/v2/images/{image}/file"
        # The length is not announced.
        chunks = (CONTENT[start : start + 100_000] for start in range(0, len(CONTENT), 100_000))
        answer = self.request("alice", "PUT", path, data=chunks, headers=headers)
        self.assertEqual(204, answer.status_code, answer.text)
        return image

    def get(self, user, image, **headers):
        answer = self.request(user, "GET", f"/v2/images/{image}/file", headers=headers)
        return answer.status_code, answer.content

    def object_paths(self, account):
        return [path for path in account.everything(self.container) if "/" in path]

    def test_data_goes_to_each_kind_of_store_and_comes_back_and_leaves_nothing(self):
        for store, account in (("single", self.one), ("projects", self.alice)):
            image = self.stored(store)
            self.assertEqual(4, len(self.object_paths(account)), store)
            self.assertEqual((200, CONTENT), self.get("alice", image))
            self.assertEqual(
                (206, CONTENT[1_000_000:2_200_001]), self.get("alice", image, Range="bytes=1000000-2200000")
            )
            self.assertEqual((206, CONTENT[-5:]), self.get("alice", image, Range="bytes=-5"))
            self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{image}"))
            self.assertEqual([], self.object_paths(account), store)

    def test_full_account_is_413_and_leaves_nothing(self):
        account = keystone_account(self.swift, "admin", "admin")
        self.addCleanup(account.remove, self.container)
        # Only a reseller sets the quota of an account; no other test writes to this one.
        reseller = Account(account.url, self.service_account.token)
        self.addCleanup(reseller.request, "POST", headers={"X-Remove-Account-Meta-Quota-Bytes": "x"})
        quota = {"X-Account-Meta-Quota-Bytes": str(len(CONTENT) // 4)}
        reseller.request("POST", headers=quota).raise_for_status()
        image = self.create("admin")
        headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": "projects"}
        answer = self.request("admin", "PUT", f"/v2/images/{image}/file", data=CONTENT, headers=headers)
        self.assertEqual(413, answer.status_code, answer.text)
        show = f"/v2/images/{image}"
        eventually(lambda: self.request("admin", "GET", show).json()["status"] == "queued", "the image was freed")
        self.assertEqual([], account.everything(self.container))

    def test_what_a_killed_service_left_in_the_account_of_a_user_is_removed(self):
        image = self.create("alice")
        headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": "projects"}
        path = f"/v2/images/{image}/file"

        def chunks():
            # More than the service reads before it begins to write.
            yield 4 * CONTENT
            eventually(lambda: any(name.endswith("/00000001") for name in self.paths()), "two segments were sent")
            self.running.served.kill()
            yield CONTENT

        with contextlib.suppress(requests.RequestException):
            self.request("alice", "PUT", path, data=chunks(), headers=headers)
        self.assertTrue(self.paths())
        self.running.served.start()
        show = f"/v2/images/{image}"
        eventually(lambda: self.request("alice", "GET", show).json()["status"] == "queued", "the image was freed")
        self.assertEqual([], self.paths())

    def is_active(self, path):
        return self.request("alice", "GET", path).json()["status"] == "active"

    def paths(self):
        return self.alice.everything(self.container)

    def test_imported_data_is_in_the_account_of_the_project(self):
        for importer in ("alice", "admin"):
            image = self.create("alice", visibility="shared")
            headers = {"Content-Type": "application/octet-stream"}
            path = f"/v2/images/{image}"
            self.assertEqual(204, self.status("alice", "PUT", f"{path}/stage", data=CONTENT, headers=headers))
            member = {"member": self.bob.url.rpartition("_")[2]}
            self.assertEqual(200, self.status("alice", "POST", f"{path}/members", json=member))
            body = {"method": {"name": "glance-direct"}, "stores": ["projects"]}
            self.assertEqual(202, self.status(importer, "POST", f"{path}/import", json=body))
            eventually(
                lambda path=path: self.request("alice", "GET", path).json()["status"] == "active", "it is active"
            )
            self.assertEqual((200, CONTENT), self.get("alice", image))
            (found,) = [path for path in self.object_paths(self.alice) if path.count("/") == 1]
            there = Account(self.alice.url, self.bob.token).request("GET", found)
            self.assertEqual((200, CONTENT), (there.status_code, there.content))
            self.assertEqual([], self.service_account.everything(self.container))
            self.assertEqual(204, self.status("alice", "DELETE", path))
            self.assertEqual([], self.paths())

    def test_members_read_the_object_itself_and_administrators_read_and_delete(self):
        image = self.stored("projects", visibility="shared")
        (path,) = [path for path in self.object_paths(self.alice) if path.count("/") == 1]
        self.bob.url = self.alice.url

        def there():
            return self.bob.request("GET", path)

        self.assertEqual((403, 404), (there().status_code, self.get("bob", image)[0]))
        member = {"member": self.cloud.project_id("bob")}
        self.assertEqual(200, self.status("alice", "POST", f"/v2/images/{image}/members", json=member))
        self.assertEqual((200, CONTENT), (there().status_code, there().content))
        self.assertEqual((200, CONTENT), self.get("bob", image))
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{image}/members/{member['member']}"))
        self.assertEqual(403, there().status_code)
        self.assertEqual((200, CONTENT), self.get("admin", image))
        patch = [{"op": "replace", "path": "/visibility", "value": "public"}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        self.assertEqual(200, self.status("admin", "PATCH", f"/v2/images/{image}", json=patch, headers=headers))
        self.assertEqual(200, there().status_code)
        self.assertEqual((200, CONTENT), self.get("bob", image))
        self.assertEqual(204, self.status("admin", "DELETE", f"/v2/images/{image}"))
        self.assertEqual([], self.alice.everything(self.container))

    def test_copy_that_was_repaired_is_in_the_account_of_the_project_and_its_readers_read_it(self):
        image = self.stored("projects", visibility="shared")
        member = {"member": self.cloud.project_id("bob")}
        path = f"/v2/images/{image}"
        self.assertEqual(200, self.status("alice", "POST", f"{path}/members", json=member))
        copying = {"method": {"name": "copy-image"}, "stores": ["single"]}
        self.assertEqual(202, self.status("admin", "POST", f"{path}/import", json=copying))
        eventually(lambda: "single" in self.request("alice", "GET", path).json()["stores"], "it was copied")
        (broken,) = self.own_objects()
        self.assertEqual(204, self.alice.request("DELETE", broken).status_code)
        self.running.served.manage("store", "verify", "--repair")
        eventually(lambda: self.own_objects() not in ([], [broken]), "it was repaired")
        (repaired,) = self.own_objects()
        eventually(lambda: repaired in self.locations_of(path), "the image has the new copy")
        for account in (self.alice, Account(self.alice.url, self.bob.token)):
            there = account.request("GET", repaired)
            self.assertEqual((200, CONTENT), (there.status_code, there.content))
        self.assertEqual(401, requests.get(f"{self.alice.url}/{repaired}", timeout=30).status_code)
        self.assertEqual([], self.service_account.everything(self.container))
        self.assertEqual((200, CONTENT), self.get("bob", image))
        self.assertEqual(204, self.status("alice", "DELETE", f"{path}/members/{member['member']}"))
        self.assertEqual(403, Account(self.alice.url, self.bob.token).request("GET", repaired).status_code)

    def own_objects(self):
        """Return the paths of whole images in the account of alice."""
        return [path for path in self.object_paths(self.alice) if path.count("/") == 1]

    def locations_of(self, path):
        return str(self.request("alice", "GET", path).json()["locations"])

    def test_locations_hold_no_secret_and_the_list_of_stores_tells_the_sizes(self):
        image = self.stored("single")
        (location,) = self.request("alice", "GET", f"/v2/images/{image}").json()["locations"]
        self.assertTrue(location["url"].startswith(f"swift+config://ref1/{self.container}/{image}-"), location)
        stores = self.request("admin", "GET", "/v2/info/stores/detail").json()["stores"]
        sizes = {"large_object_size": 1024 * 1024, "large_object_chunk_size": 1024 * 1024}
        self.assertEqual({"container": self.container, **sizes}, stores[0]["properties"])
        self.assertEqual(["swift", "swift"], [store["type"] for store in stores])
