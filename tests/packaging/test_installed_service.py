"""The installed wheel serves images through the layer, store, import method and data access of the example packages.

Runs where only the installed packages can be imported (``tox -e packaging``), and imports nothing of them itself: the
service is used as its users do, by its commands and over HTTP.
"""

import errno
import json
import os
import random
import socket
import subprocess
import sysconfig
import time
import urllib.request
from pathlib import Path

import fixtures
import testtools
from testtools.content import attach_file

START_SECONDS = 60
CONFIGURATION = """
[DEFAULT]
enabled_backends = shelf:acme
enabled_import_methods = web-download,acme-shelf
node_staging_uri = file://{directory}/staging

[domain]
layers = audit,auth,notifier,policy,quota,location,database

[acme_audit]
file = {directory}/audit.jsonl

[acme_import]
directory = {directory}/images

[task]
work_dir = {directory}/work

[shelf]
acme_directory = {directory}/shelf

[glance_store]
default_backend = shelf

[database]
data_access = measured
connection = sqlite:///{directory}/images.db

[paste_deploy]
flavor = none

[server]
bind = 127.0.0.1:{port}
workers = 1
"""


def command(name: str) -> str:
    """Return the path of a command of this environment."""
    return os.path.join(sysconfig.get_path("scripts"), name)


def free_port() -> int:
    """Return a port on which nothing listens now; none of those that the system gives to connections."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return port


class TestInstalledService(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.config_file = self.directory / "glance-mini.conf"
        self.config_file.write_text(CONFIGURATION.format(directory=self.directory, port=port))

    def manage(self, *arguments):
        """Return what ``glance-mini-manage`` prints."""
        line = [command("glance-mini-manage"), *arguments, "--config-file", str(self.config_file)]
        done = subprocess.run(line, capture_output=True, text=True, cwd=self.directory, timeout=60, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def serve(self):
        """Start the service and return when it answers; it is stopped after the test."""
        self.manage("db", "sync")
        self.log = log = self.directory / "log"
        with log.open("wb") as output:
            line = [command("glance-mini"), "serve", "--config-file", str(self.config_file)]
            self.service = service = subprocess.Popen(line, stdout=output, stderr=output, cwd=self.directory)
        self.addOnException(lambda error: attach_file(self, str(log), "log of the service", buffer_now=True))
        self.addCleanup(service.wait, START_SECONDS)
        self.addCleanup(service.terminate)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_answering():
            if service.poll() is not None or time.monotonic() > deadline:
                self.fail("The service does not answer.")
            time.sleep(0.1)

    def is_answering(self):
        try:
            return self.request("GET", "/healthcheck") is not None
        except OSError:
            return False

    def request(self, method, path, body=None, content_type="application/json"):
        """Return the body of the answer; raises HTTPError for a status of 400 and above."""
        headers = {"Content-Type": content_type}
        question = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        with urllib.request.urlopen(question, timeout=START_SECONDS) as answer:
            return answer.read()

    def test_the_default_metadata_definitions_come_with_the_package(self):
        self.manage("db", "sync")
        loaded = json.loads(self.manage("db", "load_metadefs", "--format", "json"))
        self.assertGreaterEqual(loaded["added"], 25)

    def test_an_image_passes_the_audit_layer_into_the_acme_store_and_back(self):
        self.serve()
        description = {"name": "sample", "disk_format": "raw", "container_format": "bare"}
        image = json.loads(self.request("POST", "/v2/images", json.dumps(description).encode()))
        path = f"/v2/images/{image['id']}"
        data = os.urandom(1024 * 1024)
        self.request("PUT", f"{path}/file", data, "application/octet-stream")

        self.assertEqual(data, self.request("GET", f"{path}/file"))
        self.assertEqual("shelf", json.loads(self.request("GET", path))["stores"])
        lines = (self.directory / "audit.jsonl").read_text().splitlines()
        audited = [(entry["operation"], entry["outcome"]) for entry in map(json.loads, lines)]
        expected = ["create_image", "upload_data", "download_data", "get_image"]
        self.assertEqual([(operation, "done") for operation in expected], audited)

    def test_the_data_access_logs_at_the_end_what_the_calls_have_cost(self):
        self.serve()
        self.request("GET", "/v2/images")
        self.service.terminate()
        self.assertEqual(0, self.service.wait(START_SECONDS))
        self.assertRegex(self.log.read_text(), r"acme_data\.backend .*list_images: 1 times, ")

    def test_a_worker_imports_by_the_acme_method_into_the_acme_store(self):
        data = os.urandom(1024 * 1024)
        (self.directory / "images").mkdir()
        (self.directory / "images" / "disk.raw").write_bytes(data)
        self.serve()
        description = {"disk_format": "raw", "container_format": "bare"}
        image = json.loads(self.request("POST", "/v2/images", json.dumps(description).encode()))
        path = f"/v2/images/{image['id']}"
        wanted = {"method": {"name": "acme-shelf", "file": "disk.raw"}}
        self.request("POST", f"{path}/import", json.dumps(wanted).encode())

        deadline = time.monotonic() + START_SECONDS
        while json.loads(self.request("GET", path))["status"] != "active":
            self.assertLess(time.monotonic(), deadline, self.request("GET", f"{path}/tasks"))
            time.sleep(0.1)
        self.assertEqual(data, self.request("GET", f"{path}/file"))
        self.assertIn("acme-shelf", json.loads(self.request("GET", "/v2/info/import"))["import-methods"]["value"])

    def test_the_command_shows_the_audit_layer_on_the_path(self):
        self.assertIn("audit", self.manage("layers", "update_image"))
