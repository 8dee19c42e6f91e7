"""Data that clients read from a real Swift, by its own API and by its S3 API, where the service has sent them."""

import fixtures
import requests

from glance_mini_store.testing.contract import pattern
from tests.integration.served import Served
from tests.integration.storage.s3_buckets import MIB, S3TestCase, options_for
from tests.integration.storage.swift_account import new_container, tempauth_account

CONFIGURATION = """
[DEFAULT]
enabled_backends = objects:s3,single:swift,images:file
[glance_store]
default_backend = objects
[direct_access]
downloads = true
[single]
swift_store_container = {container}
swift_store_config_file = {references}
swift_store_create_container_on_put = true
swift_store_temp_url_key = {key}
swift_store_large_object_size = 1
swift_store_large_object_chunk_size = 1
[server]
access_log = {log}
[objects]
"""

USERS = {"alice": ("demo", "member"), "bob": ("other", "member"), "admin": ("admin", "admin")}
DATA = pattern(3 * MIB + 5)
KEY = "key of all tests"


class DirectAccessCase(S3TestCase):
    """A service with an s3 store, a swift store and a file store."""

    service_name = "swift"
    more = ""

    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.access_log = f"{folder}/access.log"
        container = new_container()
        self.account = tempauth_account(self.variables)
        self.account.request("POST", headers={"X-Account-Meta-Temp-URL-Key": KEY})
        self.addCleanup(self.account.remove, container)
        text = CONFIGURATION.format(
            container=container, references=self.references(folder), key=KEY, log=self.access_log
        )
        lines = [f"{name} = {value}" for name, value in options_for(self.variables, self.bucket).items()]
        self.served = self.useFixture(Served(text + "\n".join(lines) + "\n" + self.more, users=USERS))

    def references(self, folder):
        with open(f"{folder}/swift.conf", "w") as file:
            file.write(
                f"[ref1]\nauth_address = {self.variables['TEST_SWIFT_AUTH']}\nauth_version = 1\n"
                f"user = {self.variables['TEST_SWIFT_USER']}\nkey = {self.variables['TEST_SWIFT_KEY']}\n"
            )
        return file.name

    def ask(self, method, path, status, user="alice", **arguments):
        """Return the answer, which has that status."""
        headers = {"X-Auth-Token": self.served.tokens[user], **arguments.pop("headers", {})}
        url = self.served.url + path
        answer = requests.request(method, url, headers=headers, timeout=60, allow_redirects=False, **arguments)
        self.assertEqual(status, answer.status_code, answer.text[:500])
        return answer

    def create(self, **values):
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **values}
        return self.ask("POST", "/v2/images", 201, json=body).json()["self"]

    def stored(self, store):
        image = self.create()
        headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": store}
        self.ask("PUT", f"{image}/file", 204, data=DATA, headers=headers)
        return image

    def logged(self):
        """Return all that the service has logged."""
        return self.served.log.read_text() + open(self.access_log).read()


class RedirectTest(DirectAccessCase):
    def test_client_reads_the_data_from_the_store(self):
        for store in ("objects", "single"):
            image = self.stored(store)
            address = self.ask("GET", f"{image}/file", 307, headers={"Prefer": "redirect"}).headers["Location"]
            self.assertTrue(address.startswith(self.variables["TEST_S3_URL"]), address)
            self.assertEqual(DATA, requests.get(address, timeout=60).content)
            part = requests.get(address, headers={"Range": "bytes=1000000-2200000"}, timeout=60)
            self.assertEqual((206, DATA[1_000_000:2_200_001]), (part.status_code, part.content))
            for method in ("PUT", "DELETE"):
                self.assertIn(requests.request(method, address, data=b"x", timeout=60).status_code, (401, 403))
            self.assertEqual(DATA, self.ask("GET", f"{image}/file", 200).content)
            self.assertEqual(DATA, self.ask("GET", f"{image}/file?redirect=false", 200).content)
            secret = address.partition("ignature=")[2] or address.partition("temp_url_sig=")[2]
            self.assertNotIn(secret.partition("&")[0], self.logged())

    def test_store_without_addresses_is_read_through_the_service(self):
        image = self.stored("images")
        self.assertEqual(DATA, self.ask("GET", f"{image}/file?redirect=true", 200).content)

    def test_layers_refuse_before_there_is_an_address(self):
        image = self.stored("objects")
        self.ask("GET", f"{image}/file?redirect=true", 404, user="bob")
        self.ask("POST", f"{image}/actions/deactivate", 204)
        self.ask("GET", f"{image}/file?redirect=true", 403)

    def test_address_dies_with_the_image(self):
        for store in ("objects", "single"):
            image = self.stored(store)
            address = self.ask("GET", f"{image}/file?redirect=true", 307).headers["Location"]
            self.ask("DELETE", image, 204)
            self.assertEqual(404, requests.get(address, timeout=60).status_code)

    def test_link_without_headers_leads_to_the_store(self):
        link = self.ask("POST", f"{self.stored('objects')}/links", 201).json()["url"]
        answer = requests.get(f"{link}?redirect=true", timeout=60)
        self.assertEqual((DATA, 1), (answer.content, len(answer.history)))
        self.assertEqual(DATA, requests.get(link, timeout=60).content)
        log = self.logged()
        self.assertNotIn(link.rpartition("/")[2], log)
        self.assertIn("/v2/links/-", log)
