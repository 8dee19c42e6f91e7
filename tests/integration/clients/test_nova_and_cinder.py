"""The image clients of nova and cinder themselves, on images with and without an md5 (``compute_checksum``)."""

import hashlib
import os
import subprocess
from pathlib import Path

import fixtures
import testtools

from tests.integration.old_clients import ClientRelease
from tests.integration.served import Served

PROGRAMS = Path(__file__).parent / "consumers"
CONTENT = os.urandom(1 << 20)
MD5 = hashlib.md5(CONTENT).hexdigest()


class ConsumersTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.python = self.useFixture(ClientRelease("nova", "cinder")).program.parent / "python"

    def assert_lives(self, consumer, checksum, configuration=""):
        """Let an image go through its life in ``consumer``'s client, which is told of ``checksum``."""
        service = self.useFixture(Served(configuration, users={"user": ("project", "admin")}))
        file = Path(self.useFixture(fixtures.TempDir()).path) / "content"
        file.write_bytes(CONTENT)
        done = subprocess.run(
            [str(self.python), str(PROGRAMS / f"{consumer}_client.py"), service.url, service.tokens["user"], str(file)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        lines = [
            f"created active {len(CONTENT)} {checksum}",
            f"shown {checksum}",
            f"listed ['by {consumer}']",
            "saved True",
            "deleted 0",
        ]
        self.assertEqual(lines, done.stdout.splitlines())

    def test_image_of_nova(self):
        self.assert_lives("nova", MD5)

    def test_image_of_nova_without_an_md5(self):
        self.assert_lives("nova", None, "[DEFAULT]\ncompute_checksum = false\n")

    def test_image_of_cinder(self):
        self.assert_lives("cinder", MD5)

    def test_image_of_cinder_without_an_md5(self):
        self.assert_lives("cinder", None, "[DEFAULT]\ncompute_checksum = false\n")
