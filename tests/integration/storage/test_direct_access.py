"""Data that clients read from a real Swift, by its own API and by its S3 API, where the service has sent them."""

import hashlib
import time

import fixtures
import requests

from glance_mini_store.testing.content import pattern
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
uploads = true
upload_grace = 60
[single]
swift_store_container = {container}
swift_store_config_file = {references}
swift_store_create_container_on_put = true
swift_store_temp_url_key = {key}
swift_store_large_object_size = 1
swift_store_large_object_chunk_size = 1
[server]
access_log = {log}
[transfers]
reaper_interval = 1
[workers]
lease_seconds = 3
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


class UploadTest(DirectAccessCase):
    def link(self, image, **body):
        return self.ask("POST", f"{image}/links", 201, json={"size": len(DATA), **body}).json()

    def complete(self, image, link, status=202):
        return self.ask("POST", f"{image}/links/{link['id']}/complete", status)

    def shown(self, image):
        return self.ask("GET", image, 200).json()

    def ended(self, image):
        """Return the image after its upload has ended, well or not."""
        self.wait(lambda: self.shown(image)["status"] in ("active", "queued"), "the upload has ended")
        return self.shown(image)

    def wait(self, condition, what, seconds=150):
        """Wait for the end of a lease, which has at least a minute."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"it did not happen that {what}")
            time.sleep(0.5)

    def test_data_that_was_sent_becomes_that_of_the_image_and_stays_it(self):
        image = self.create()
        link = self.link(image)
        self.assertEqual(200, requests.put(link["url"], data=DATA, timeout=60).status_code)
        self.complete(image, link)
        shown = self.ended(image)
        self.assertEqual(("active", hashlib.sha512(DATA).hexdigest()), (shown["status"], shown["os_hash_value"]))
        self.assertEqual(DATA, self.ask("GET", f"{image}/file", 200).content)
        # The link works on, and changes nothing.
        self.assertEqual(200, requests.put(link["url"], data=DATA[::-1], timeout=60).status_code)
        self.assertEqual(DATA, self.ask("GET", f"{image}/file", 200).content)
        self.complete(image, link, 404)
        secret = link["url"].partition("Signature=")[2].partition("&")[0]
        self.assertNotIn(secret, self.logged())

    def test_other_sizes_are_not_taken(self):
        image = self.create()
        link = self.link(image)
        self.complete(image, link, 409)
        for data in (DATA[:-1], DATA + b"x"):
            self.assertEqual(403, requests.put(link["url"], data=data, timeout=60).status_code)
            self.complete(image, link, 409)
        self.assertEqual("uploading", self.shown(image)["status"])

    def test_data_of_another_format_leaves_nothing(self):
        image = self.create(disk_format="qcow2")
        link = self.link(image)
        requests.put(link["url"], data=DATA, timeout=60)
        self.complete(image, link)
        self.assertEqual("queued", self.ended(image)["status"])
        self.wait(lambda: not self.left_in_bucket(), "nothing is left")

    def test_upload_that_is_not_completed_is_removed_after_its_lease(self):
        image = self.create()
        link = self.link(image, expires_in=5)
        self.assertEqual(200, requests.put(link["url"], data=DATA, timeout=60).status_code)
        self.assertEqual(1, len(self.left_in_bucket()))
        self.wait(lambda: not self.left_in_bucket(), "it is removed")
        self.assertEqual("queued", self.ended(image)["status"])

    def test_service_that_is_killed_goes_on_with_the_upload(self):
        images = []
        for _ in range(3):
            image = self.create()
            link = self.link(image)
            requests.put(link["url"], data=DATA, timeout=60)
            self.complete(image, link)
            self.served.kill()
            self.served.start()
            images.append(image)
        for image in images:
            self.assertEqual("active", self.ended(image)["status"])
            self.assertEqual(DATA, self.ask("GET", f"{image}/file", 200).content)

    def test_only_stores_that_can_do_it_take_links_for_uploads(self):
        image = self.create()
        for store in ("single", "images"):
            self.ask("POST", f"{image}/links", 400, json={"size": 4, "store": store})
        self.ask("POST", f"{image}/links", 413, json={"size": 5 * 1024**3 + 1})
