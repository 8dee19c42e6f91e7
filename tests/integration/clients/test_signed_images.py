"""Signed images under a real Keystone, with certificates in a real Barbican (api-data-signatures)."""

import os
import time

import requests
from barbicanclient.client import Client as Barbican
from cryptography.hazmat.primitives.serialization import Encoding

from tests.integration.base import ServiceTestCase
from tests.integration.cloud import CloudService
from tests.unit.content.signed import RSA_KEY, signed
from tests.unit.jobs.certificates import make_certificate

CONTENT = os.urandom(300_000)
FORMATS = {"disk_format": "raw", "container_format": "bare"}
DATA_TYPE = {"Content-Type": "application/octet-stream"}
WAIT_SECONDS = 60

CONFIGURATION = """
[key_manager]
backend = barbican

[barbican]
auth_endpoint = {keystone}
barbican_endpoint = {barbican}
"""


class SignedImagesTest(ServiceTestCase):
    def setUp(self):
        super().setUp()
        self.barbican = self.service("barbican")["TEST_BARBICAN_URL"]
        self.running = self.useFixture(CloudService(self.service("keystone"), self.configuration))
        self.certificate_id = self.store_certificate("alice")

    def configuration(self, cloud):
        """Return what the image service must know of the key manager."""
        return CONFIGURATION.format(keystone=cloud.keystone_url, barbican=self.barbican)

    def store_certificate(self, user):
        """Return the id of a certificate that ``user`` has stored."""
        client = Barbican(session=self.running.cloud.session(user), endpoint=self.barbican)
        pem = make_certificate(RSA_KEY).public_bytes(Encoding.PEM)
        secret = client.secrets.create(name="images", secret_type="certificate", payload=pem)
        reference = secret.store()
        self.addCleanup(secret.delete)
        return reference.rpartition("/")[2]

    def request(self, user, method, path, **arguments):
        """Return the answer to ``user``."""
        headers = {**self.running.headers(user), **arguments.pop("headers", {})}
        return requests.request(method, self.running.url + path, headers=headers, timeout=30, **arguments)

    def create(self, user="alice", certificate_id=None):
        """Return the path of a new image whose data must be ``CONTENT``."""
        properties = signed(CONTENT, certificate_id or self.certificate_id)
        return f"/v2/images/{self.request(user, 'POST', '/v2/images', json={**FORMATS, **properties}).json()['id']}"

    def upload(self, content, user="alice"):
        """Return the answer to an upload into a new image, and what became of the image."""
        path = self.create(user)
        answer = self.request(user, "PUT", f"{path}/file", data=content, headers=DATA_TYPE)
        return answer, self.request(user, "GET", path).json()["status"]

    def run_import(self, content):
        """Return the image and its task after an import, once that has ended."""
        path = self.create()
        self.request("alice", "PUT", f"{path}/stage", data=content, headers=DATA_TYPE).raise_for_status()
        body = {"method": {"name": "glance-direct"}}
        self.request("alice", "POST", f"{path}/import", json=body).raise_for_status()
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            (task,) = self.request("alice", "GET", f"{path}/tasks").json()["tasks"]
            if task["status"] in ("success", "failure"):
                return self.request("alice", "GET", path).json(), task
            self.assertLess(time.monotonic(), deadline, f"the import does not end: {task}")
            time.sleep(0.1)

    def test_only_what_was_signed_is_uploaded(self):
        self.assertEqual((204, "active"), ((found := self.upload(CONTENT))[0].status_code, found[1]))
        answer, status = self.upload(CONTENT[:-1])
        self.assertEqual((400, "queued"), (answer.status_code, status))
        self.assertIn("not what was signed", answer.text)

    def test_a_certificate_that_the_caller_cannot_read_is_none(self):
        answer, status = self.upload(CONTENT, "bob")
        self.assertEqual((400, "queued"), (answer.status_code, status))
        self.assertIn("may not read", answer.text)

    def test_only_what_was_signed_is_imported(self):
        image, task = self.run_import(CONTENT)
        self.assertEqual(("active", "success"), (image["status"], task["status"]), task["message"])
        image, task = self.run_import(CONTENT[:-1])
        self.assertEqual(("queued", "failure"), (image["status"], task["status"]))
        self.assertIn("not what was signed", task["message"])
