"""Objects of users in a real Swift, by its own API and by its S3 API, as the data of images."""

import hashlib
import json
import re
import uuid
from types import SimpleNamespace

import testtools

from glance_mini_store import errors
from glance_mini_store.drivers.swift.driver import SwiftDriver
from glance_mini_store.drivers.swift.options import OPTIONS
from glance_mini_store.testing.content import pattern
from tests.http_server.running import eventually
from tests.integration.clients.test_clients_keystone import KeystoneTestCase
from tests.integration.storage.s3_buckets import MIB, client_for, new_bucket_name, options_for, remove_bucket
from tests.integration.storage.swift_account import keystone_access, keystone_account
from tests.integration.storage.swift_case import SwiftTestCase

DATA = pattern(2 * MIB + 7)
SHA512 = hashlib.sha512(DATA).hexdigest()

CONFIGURATION = """
[DEFAULT]
enabled_backends = single:swift,objects:s3
[glance_store]
default_backend = single
[single]
swift_store_container = {container}
swift_store_create_container_on_put = true
swift_store_config_file = {references}
swift_store_user_locations = true
[objects]
s3_store_user_locations = {stash}/$(project_id)s/
"""


class RefusalTest(testtools.TestCase):
    def test_store_without_an_account_of_keystone_is_refused(self):
        values = {option.dest: option.default for option in OPTIONS}
        for account in (
            {"swift_store_auth_address": "http://h/auth/v1.0", "swift_store_user": "a:b", "swift_store_key": "k"},
            {"swift_store_multi_tenant": True, "swift_store_endpoint": "http://h/v1/AUTH_$(project_id)s"},
        ):
            settings = SimpleNamespace(**values | account | {"swift_store_user_locations": True})
            error = self.assertRaises(errors.BadStoreConfiguration, SwiftDriver.from_config, settings, "images")
            self.assertIn("swift_store_user_locations", str(error))


class UserLocationsTest(SwiftTestCase, KeystoneTestCase):
    """The store has the account of bob, who may read in the account of alice only what she lets him read."""

    def setUp(self):
        super().setUp()
        self.client = client_for(self.swift)
        self.addCleanup(self.client.close)
        self.bucket, self.stash = new_bucket_name(), new_bucket_name()
        for bucket in (self.bucket, self.stash):
            self.client.create_bucket(Bucket=bucket)
            self.addCleanup(remove_bucket, self.client, bucket)
        text = CONFIGURATION.format(
            container=self.container,
            references=self.references(ref1=self.keystone_reference("bob", "other")),
            stash=self.stash,
        )
        lines = [f"{name} = {value}" for name, value in options_for(self.swift, self.bucket).items()]
        self.start(text + "\n".join(lines) + "\n")
        self.alice = keystone_account(self.swift, "alice", "demo")
        self.bob = keystone_account(self.swift, "bob", "other")
        self.project = keystone_access(self.swift, "alice", "demo")[1].project_id
        self.mine = f"stash-{uuid.uuid4().hex}"
        for account in (self.alice, self.bob):
            self.addCleanup(account.remove, self.mine)
            self.addCleanup(account.remove, self.container)
        self.alice.request("PUT", self.mine)

    def put(self, name="disk", data=DATA, account=None, query="", **headers):
        """Store an object and return its location."""
        account = account or self.alice
        answer = account.request("PUT", f"{self.mine}/{name}{query}", data=data, headers=headers)
        self.assertEqual(201, answer.status_code, answer.text)
        scheme, _, rest = account.url.partition("://")
        return f"swift+{scheme}://{rest}/{self.mine}/{name}"

    def let(self, readers):
        self.alice.request("POST", self.mine, headers={"X-Container-Read": readers})

    def let_the_store(self):
        access = keystone_access(self.swift, "bob", "other")[1]
        self.let(f"{access.project_id}:{access.user_id}")

    def add(self, image, url, status=202):
        answer = self.request("alice", "POST", f"/v2/images/{image}/locations", json={"url": url})
        self.assertEqual(status, answer.status_code, answer.text)
        return answer.text

    def get(self, image, **headers):
        answer = self.request("alice", "GET", f"/v2/images/{image}/file", headers=headers)
        return answer.status_code, answer.content

    def registered(self, url):
        image = self.create("alice")
        self.add(image, url)
        return image

    def has_hash(self, image):
        return self.request("alice", "GET", f"/v2/images/{image}").json()["os_hash_value"] == SHA512

    def test_object_in_swift_is_the_data_of_an_image_once_the_store_may_read_it(self):
        url = self.put()
        refusal = self.add(self.create("alice"), url, 400)
        command = re.search(r"swift post -r (\S+) (\S+)", refusal)
        self.assertEqual(self.mine, command[2])
        self.let(command[1])
        image = self.registered(url)
        self.assertEqual((200, DATA), self.get(image))
        self.assertEqual((206, DATA[1_000_000:1_500_001]), self.get(image, Range="bytes=1000000-1500000"))
        eventually(lambda: self.has_hash(image), "the hash was learnt")
        self.assertEqual([], self.bob.names(self.container))
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{image}"))
        self.assertEqual(["disk"], self.alice.names(self.mine))
        self.assertEqual(command[1], self.alice.request("HEAD", self.mine).headers["X-Container-Read"])

    def test_object_that_was_replaced_is_an_error(self):
        url = self.put()
        self.let_the_store()
        image = self.registered(url)
        eventually(lambda: self.has_hash(image), "the hash was learnt")
        self.put(data=DATA[::-1])
        self.assertEqual(409, self.get(image)[0])
        self.assertEqual(409, self.get(image, Range="bytes=5-8")[0])
        self.put()
        self.assertEqual((200, DATA), self.get(image))

    def test_static_large_object_is_one_and_a_dynamic_one_is_not(self):
        self.let_the_store()
        parts = [DATA[:MIB], DATA[MIB:]]
        for number, part in enumerate(parts):
            self.put(f"part{number}", part)
        manifest = [{"path": f"/{self.mine}/part{number}"} for number in range(len(parts))]
        image = self.registered(self.put("slo", json.dumps(manifest).encode(), query="?multipart-manifest=put"))
        self.assertEqual((200, DATA), self.get(image))
        eventually(lambda: self.has_hash(image), "the hash was learnt")
        dynamic = self.put("dlo", b"", **{"X-Object-Manifest": f"{self.mine}/part"})
        self.assertIn("dynamic", self.add(self.create("alice"), dynamic, 400))

    def test_user_names_only_what_the_user_may_read(self):
        self.bob.request("PUT", self.mine)
        for url in (self.put("secret", account=self.bob), self.put() + "x", self.put("empty", b"")):
            self.let_the_store()
            self.add(self.create("alice"), url, 400)
        elsewhere = f"swift+http://127.0.0.1:1/v1/AUTH_{self.project}/{self.mine}/disk"
        self.add(self.create("alice"), elsewhere, 403)
        image = self.create("bob")
        answer = self.request("bob", "POST", f"/v2/images/{image}/locations", json={"url": self.put()})
        self.assertEqual(202, answer.status_code, answer.text)

    def test_object_in_s3_is_the_data_of_an_image(self):
        host = self.swift["TEST_S3_URL"].removeprefix("http://")
        key = f"{self.project}/images/disk"
        self.client.put_object(Bucket=self.stash, Key=key, Body=DATA)
        self.client.put_object(Bucket=self.stash, Key="another/disk", Body=DATA)
        image = self.registered(f"s3+http://{host}/{self.stash}/{key}")
        self.assertEqual((200, DATA), self.get(image))
        eventually(lambda: self.has_hash(image), "the hash was learnt")
        self.client.put_object(Bucket=self.stash, Key=key, Body=DATA[::-1])
        self.assertEqual(409, self.get(image)[0])
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{image}"))
        self.assertEqual(DATA[::-1], self.client.get_object(Bucket=self.stash, Key=key)["Body"].read())
        for url in ("another/disk", f"{self.project}/../another/disk", f"{self.project}", f"{self.project}x/disk"):
            status = 403 if ".." in url else 400
            refusal = self.add(self.create("alice"), f"s3+http://{host}/{self.stash}/{url}", status)
            self.assertNotIn("testing", refusal)
        self.add(self.create("alice"), f"s3+http://{host}/{self.bucket}/disk", 403)

    def test_link_needs_no_token_of_keystone_and_ends_with_the_membership(self):
        image = self.create("alice")
        headers = {"Content-Type": "application/octet-stream"}
        self.request("alice", "PUT", f"/v2/images/{image}/file", data=DATA, headers=headers)
        member = keystone_access(self.swift, "bob", "other")[1].project_id
        self.request("alice", "POST", f"/v2/images/{image}/members", json={"member": member})
        answer = self.request("bob", "POST", f"/v2/images/{image}/links")
        self.assertEqual(201, answer.status_code, answer.text)
        path = "/v2/links/" + answer.json()["url"].rpartition("/")[2]
        for headers in ({}, {"X-Auth-Token": "no token"}, {"Range": "bytes=5-"}):
            found = self.request(None, "GET", path, headers=headers)
            self.assertEqual(DATA[5:] if "Range" in headers else DATA, found.content)
        self.request("alice", "DELETE", f"/v2/images/{image}/members/{member}")
        self.assertEqual(404, self.status(None, "GET", path))

    def test_nothing_secret_is_logged(self):
        self.let_the_store()
        self.registered(self.put())
        log = self.running.served.log.read_text()
        for secret in (self.alice.token, self.bob.token, self.swift["TEST_KEYSTONE_PASSWORD"]):
            self.assertNotIn(secret, log)
