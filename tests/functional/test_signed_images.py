"""Signed images with the unmodified client, the real service and its worker (api-data-signatures)."""

import json
import os
from pathlib import Path

import fixtures
import testtools

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Client, Service
from tests.http_server.running import eventually
from tests.unit.content.signed import KeyDirectory, signed

CONTENT = os.urandom(300_000)


class SignedImagesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.keys = self.useFixture(KeyDirectory())
        state = StateDirectory(self.root / "state")
        state.create()
        with open(state.config_file, "a", encoding="utf-8") as file:
            for group, options in self.keys.options.items():
                file.write(f"\n[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items()))
        self.service = self.useFixture(Service(state.path))
        self.client = self.useFixture(Client(state.clouds_file))

    def create(self, content, *words):
        """Make an image of ``content`` that says ``CONTENT`` was signed; returns what the client knows of it."""
        file = self.root / "disk.raw"
        file.write_bytes(content)
        properties = signed(CONTENT, self.keys.add())
        named = [word for name, value in properties.items() for word in ("--property", f"{name}={value}")]
        words = ("image", "create", "disk", "--disk-format", "raw", "--file", str(file), *named, *words, "-f", "json")
        return json.loads(self.client.openstack(*words))

    def test_only_what_was_signed_is_uploaded_and_imported(self):
        image = self.create(CONTENT)
        self.assertEqual(("active", len(CONTENT)), (image["status"], image["size"]))
        self.assertRaises(AssertionError, self.create, CONTENT[:-1])
        (only,) = self.service.request("GET", "/v2/images").json()["images"]
        self.assertEqual(image["id"], only["id"])
        failed = self.wait(self.create(CONTENT[:-1], "--import"))
        (task,) = self.service.request("GET", f"/v2/images/{failed['id']}/tasks").json()["tasks"]
        self.assertEqual(("queued", "failure"), (failed["status"], task["status"]))
        self.assertIn("not what was signed", task["message"])
        self.assertEqual(1, len(self.service.stored_files()))

    def wait(self, image):
        """Return an image once its import has ended."""

        def ended():
            found = self.service.request("GET", f"/v2/images/{image['id']}").json()
            is_over = found["status"] in ("active", "queued") and "os_glance_import_task" not in found
            return found if is_over else None

        return eventually(ended, "the import ended")
