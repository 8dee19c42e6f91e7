"""The whole service with its data in S3: what clients send and get by HTTP is what lies in the bucket."""

import hashlib
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from glance_mini_store.testing.content import pattern, pieces
from tests.functional.faults import workers_of
from tests.integration.served import Served
from tests.integration.storage.s3_buckets import MIB, S3TestCase

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file,objects:s3
show_multiple_locations = true
[glance_store]
default_backend = objects
[transfers]
lease_seconds = 3
reaper_interval = 1
[objects]
s3_store_large_object_chunk_size = 5242880
"""


class ServiceTestCase(S3TestCase):
    """A service whose default store is a bucket; ``more`` is added to its configuration."""

    service_name = "radosgw"
    more = ""

    def setUp(self):
        super().setUp()
        self.options = {
            "s3_store_host": self.variables["TEST_S3_URL"],
            "s3_store_access_key": self.variables["TEST_S3_ACCESS_KEY"],
            "s3_store_secret_key": self.variables["TEST_S3_SECRET_KEY"],
            "s3_store_bucket": self.bucket,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in self.options.items())
        users = {"alice": ("demo", "member"), "admin": ("admin", "admin")}
        self.served = self.useFixture(Served(_CONFIGURATION + lines + self.more, users=users))

    def ask(self, method, path, status, user="alice", **arguments):
        """Return the answer, which has that status."""
        headers = {"X-Auth-Token": self.served.tokens[user], **arguments.pop("headers", {})}
        answer = requests.request(method, self.served.url + path, headers=headers, timeout=60, **arguments)
        self.assertEqual(status, answer.status_code, answer.text[:500])
        return answer

    def create(self):
        """Return the path of a new image."""
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        return self.ask("POST", "/v2/images", 201, json=body).json()["self"]

    def upload(self, image, data, status=204):
        """Upload ``data`` (bytes: with their length, an iterator: without)."""
        return self.ask("PUT", f"{image}/file", status, data=data, headers={"Content-Type": "application/octet-stream"})


class MemoryTest(ServiceTestCase):
    """The parts of uploads come from the memory of transfers."""

    more = "[transfers]\nmemory_mib = 64\n"

    def test_eight_uploads_at_once_stay_within_the_memory_of_transfers(self):
        self.upload(self.create(), pattern(MIB))
        workers = workers_of(self.served)
        before = {worker: self.peak_mib(worker, reset=True) for worker in workers}
        data = pattern(40 * MIB)
        with ThreadPoolExecutor(8) as executor:
            images = [self.create() for _ in range(8)]
            list(executor.map(lambda image: self.upload(image, data), images))
        growth = max(self.peak_mib(worker) - before[worker] for worker in workers)
        # Threads, connections and what the C library keeps need some MiB more; parts without a bound took 240.
        self.assertLess(growth, 64 + 24)
        digest = hashlib.sha512(data).hexdigest()
        self.assertEqual({digest}, {self.ask("GET", image, 200).json()["os_hash_value"] for image in images})

    def peak_mib(self, process, reset=False):
        """Return the most memory that a process has had since the last reset; see proc_pid_clear_refs(5)."""
        if reset:
            Path(f"/proc/{process}/clear_refs").write_text("5")
        status = Path(f"/proc/{process}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


class ServiceTest(ServiceTestCase):
    def test_image_is_uploaded_read_in_ranges_and_deleted(self):
        for data, known in ((b"small", True), (pattern(12 * MIB + 5), True), (pattern(12 * MIB + 5), False)):
            image = self.create()
            self.upload(image, data if known else pieces(data))
            shown = self.ask("GET", image, 200).json()
            self.assertEqual(("active", len(data)), (shown["status"], shown["size"]))
            self.assertEqual(hashlib.sha512(data).hexdigest(), shown["os_hash_value"])
            host = self.variables["TEST_S3_URL"].removeprefix("http://")
            (location,) = shown["locations"]
            self.assertTrue(location["url"].startswith(f"s3+http://{host}/{self.bucket}/"), location)
            self.assertEqual(data, self.ask("GET", f"{image}/file", 200).content)
            for first, last in ((0, 0), (1, 4), (3, len(data) - 1)):
                part = self.ask("GET", f"{image}/file", 206, headers={"Range": f"bytes={first}-{last}"})
                self.assertEqual(data[first : last + 1], part.content)
                self.assertEqual(f"bytes {first}-{last}/{len(data)}", part.headers["Content-Range"])
            self.ask("GET", f"{image}/file", 416, headers={"Range": f"bytes={len(data)}-"})
            self.ask("DELETE", image, 204)
            self.assertEqual([], self.left_in_bucket())

    def test_client_that_goes_away_leaves_nothing_in_the_bucket(self):
        image = self.create()
        host, _, port = self.served.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), 30) as connection:
            head = (
                f"PUT {image}/file HTTP/1.1\r\nHost: glance\r\nX-Auth-Token: {self.served.tokens['alice']}\r\n"
                f"Content-Type: application/octet-stream\r\nContent-Length: {100 * MIB}\r\n\r\n"
            )
            connection.sendall(head.encode() + pattern(20 * MIB))
            self.wait_for(lambda: self.left_in_bucket(), "no part was sent")
        self.wait_for(lambda: not self.left_in_bucket(), "parts are left")
        self.wait_for(lambda: self.ask("GET", image, 200).json()["status"] == "queued", "the image is not queued")

    def test_worker_that_is_killed_in_an_upload_leaves_nothing_in_the_bucket(self):
        image = self.create()

        def source():
            yield from pieces(pattern(20 * MIB))
            self.wait_for(lambda: self.left_in_bucket(), "no part was sent")
            for worker in workers_of(self.served):
                os.kill(worker, signal.SIGKILL)
            yield from pieces(bytes(64 * MIB))

        with self.assertRaises(requests.ConnectionError):
            self.upload(image, source())
        self.wait_for(lambda: not self.left_in_bucket(), "parts are left")
        self.assertEqual("queued", self.ask("GET", image, 200).json()["status"])

    def test_store_is_described_without_its_keys(self):
        stores = self.ask("GET", "/v2/info/stores/detail", 200, user="admin").json()["stores"]
        (store,) = [each for each in stores if each["id"] == "objects"]
        self.assertEqual("s3", store["type"])
        expected = {
            "s3_store_large_object_size": 104857600,
            "s3_store_large_object_chunk_size": 5242880,
            "s3_store_thread_pools": 10,
        }
        self.assertEqual(expected, store["properties"])

    def test_missing_bucket_is_an_error_of_the_service_and_tells_no_secret(self):
        image = self.create()
        # A worker that starts without the bucket ends the service, as one does that starts with a wrong key.
        self.wait_for(lambda: "has started" in self.served.log.read_text(), "the worker has not started")
        self.client.delete_bucket(Bucket=self.bucket)
        answer = self.upload(image, b"data", 503)
        self.assertEqual("queued", self.ask("GET", image, 200).json()["status"])
        log = self.served.log.read_text()
        for key in ("s3_store_access_key", "s3_store_secret_key"):
            self.assertNotIn(self.options[key], answer.text)
            self.assertNotIn(self.options[key], log)

    def wait_for(self, condition, failure):
        """Wait until ``condition`` returns something true."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.2)
        self.fail(failure)
