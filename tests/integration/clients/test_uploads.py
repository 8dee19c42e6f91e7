"""Uploads that go on, with the unmodified clients tuspy and tus-js-client, and after a kill of the service."""

import hashlib
import os
import shutil
import subprocess
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import fixtures
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase
from tests.integration.served import Served

HERE = Path(__file__).parent / "tus_js"
MIB = 1024 * 1024
SIZE = 96 * MIB + 12345

CONFIGURATION = """
[DEFAULT]
node_staging_uri = file://{root}/staging
enabled_import_methods = [glance-direct]
[paste_deploy]
flavor = token
[transfers]
lease_seconds = 3
reaper_interval = 1
[uploads]
keep_free_mib = 0
[workers]
poll_interval = 0.2
"""


class UploadsTestCase(ServiceTestCase):
    def setUp(self):
        super().setUp()
        root = Path(self.useFixture(fixtures.TempDir()).path)
        self.served = self.useFixture(
            Served(CONFIGURATION.format(root=root), workers=2, users={"ann": ("p1", "member")})
        )
        self.staging = root / "staging"
        self.headers = {"X-Auth-Token": self.served.tokens["ann"]}
        self.path = root / "disk"
        self.sum = hashlib.sha512()
        with open(self.path, "wb") as file:
            for _ in range(SIZE // MIB + 1):
                block = os.urandom(MIB)[: SIZE - file.tell()]
                file.write(block)
                self.sum.update(block)
        values = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        answer = requests.post(f"{self.served.url}/v2/images", json=values, headers=self.headers, timeout=30)
        self.image = f"{self.served.url}/v2/images/{answer.json()['id']}"

    def show(self):
        return requests.get(self.image, headers=self.headers, timeout=30).json()

    def tuspy(self, **options):
        """Return an uploader of the file."""
        client = TusClient(f"{self.image}/upload", headers=self.headers)
        return client.uploader(str(self.path), **{"retries": 60, "retry_delay": 0.5, **options})

    def restart(self):
        self.served.kill()
        self.served.start()

    def upload_and_kill(self, uploader, is_time):
        """Upload with ``uploader``, kill the service as soon as ``is_time()``, and start it again."""
        self.start_to_kill(is_time)
        # The client may give up before the service is back.
        with suppress(TusCommunicationError, requests.RequestException):
            uploader.upload()
        self.assert_killed()

    def start_to_kill(self, is_time):
        """Kill the service as soon as ``is_time()``, in a thread, and start it again."""

        def work():
            deadline = time.monotonic() + 60
            while not is_time():
                if time.monotonic() > deadline:
                    return
                time.sleep(0.01)
            self.restart()
            self.was_killed = True

        self.was_killed = False
        self.killer = threading.Thread(target=work)
        self.killer.start()

    def assert_killed(self):
        self.killer.join()
        self.assertTrue(self.was_killed)

    def staged(self):
        """Return how many bytes are on the disk of the staging area."""
        return sum(each.stat().st_size for each in self.staging.iterdir()) if self.staging.exists() else 0

    def assert_uploaded(self):
        eventually(lambda: self.show()["status"] == "active", "the image is active")
        image = self.show()
        self.assertEqual((SIZE, self.sum.hexdigest()), (image["size"], image["os_hash_value"]))
        eventually(lambda: self.staged() == 0, "nothing is staged")


class TestTuspy(UploadsTestCase):
    def test_upload_in_one_piece_and_in_many(self):
        self.tuspy(metadata={"filename": "disk"}, metadata_encoding="utf-8").upload()
        self.assert_uploaded()

    def test_upload_goes_on_after_a_kill_with_what_was_durable(self):
        uploader = self.tuspy(chunk_size=8 * MIB)
        for _ in range(5):
            uploader.upload_chunk()
        url = uploader.url
        self.restart()
        found = requests.head(url, headers={**self.headers, "Tus-Resumable": "1.0.0"}, timeout=30)
        self.assertEqual(40 * MIB, int(found.headers["Upload-Offset"]))
        self.tuspy(chunk_size=8 * MIB, url=url).upload()
        self.assert_uploaded()

    def test_kill_in_the_middle_of_a_piece_loses_one_step_at_most(self):
        uploader = self.tuspy()
        self.upload_and_kill(uploader, lambda: self.staged() > 40 * MIB)
        if self.show()["status"] != "active":
            head = requests.head(uploader.url, headers={**self.headers, "Tus-Resumable": "1.0.0"}, timeout=30)
            self.assertGreaterEqual(int(head.headers["Upload-Offset"]), 16 * MIB)
            self.tuspy(url=uploader.url).upload()
        self.assert_uploaded()

    def test_upload_that_was_being_finished_is_finished_by_a_job_after_a_kill(self):
        # A client that comes back would finish it itself.
        self.upload_and_kill(self.tuspy(retries=0), lambda: self.show()["status"] == "saving")
        self.assert_uploaded()
        # The image is active before the job has ended.
        eventually(lambda: self.tasks() == [("finish_upload", "success")], "the job has ended well")

    def tasks(self):
        found = requests.get(f"{self.image}/tasks", headers=self.headers, timeout=30).json()["tasks"]
        return [(each["type"], each["status"]) for each in found]


class TestNodes(UploadsTestCase):
    def test_upload_goes_on_on_another_node_that_shares_the_staging_area(self):
        uploader = self.tuspy(chunk_size=20 * MIB)
        uploader.upload_chunk()
        uploader.upload_chunk()
        own = self.served.root
        shared = f"""
            [DEFAULT]
            staging_is_shared = true
            [database]
            connection = sqlite:///{own}/glance-mini.db
            [images]
            filesystem_store_datadir = {own}/images
            [authentication]
            users_file = {own}/users.json
        """
        self.served.kill()
        configuration = CONFIGURATION.format(root=self.staging.parent)
        other = self.useFixture(Served(configuration + textwrap.dedent(shared)))
        url = uploader.url.replace(self.served.url, other.url)
        self.image = self.image.replace(self.served.url, other.url)
        self.tuspy(url=url).upload()
        self.assert_uploaded()


class TestTusJsClient(UploadsTestCase):
    def setUp(self):
        super().setUp()
        self.service("nodejs")
        self.js = Path(self.useFixture(fixtures.TempDir()).path)
        for name in ("package.json", "upload.js"):
            shutil.copy(HERE / name, self.js)
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund"],
            cwd=self.js,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            self.lacks(f"npm cannot install tus-js-client: {done.stderr}")

    def upload(self, *words):
        """Upload the file with node, and check that it says that it has succeeded."""
        command = ["node", "upload.js", f"{self.image}/upload", self.headers["X-Auth-Token"], str(self.path), *words]
        done = subprocess.run(command, cwd=self.js, capture_output=True, text=True, timeout=240, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("success", done.stdout)

    def test_upload_in_one_piece(self):
        self.upload("1")
        self.assert_uploaded()

    def test_upload_in_parts_at_once(self):
        self.upload("3", str(16 * MIB))
        self.assert_uploaded()

    def test_upload_goes_on_by_itself_after_a_kill(self):
        self.start_to_kill(lambda: self.staged() > 30 * MIB)
        self.upload("1", str(8 * MIB))
        self.assert_killed()
        self.assert_uploaded()
