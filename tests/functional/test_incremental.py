"""Incremental images with the real service: an unmodified client, many readers, and workers that are killed."""

import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import cycle
from pathlib import Path

import fixtures
import testtools
from testtools.content import text_content
from testtools.matchers import LessThan

from benchmarks import processes
from tests.functional.faults import SHORT_LEASES, start_service
from tests.functional.forked_worker import start_worker
from tests.functional.service import Client
from tests.functional.test_memory import Gauge
from tests.http.incremental import MIB, QCOW2, Disks, run
from tests.http_server.running import eventually

KILLS = 10
"""Moments at which a job of each kind is killed."""

LONGEST = 0.4
"""Seconds after which a job is killed at the latest."""

READERS = 1000
MORE = 128
"""MiB that a process may take for as many readers as it serves at once."""


class IncrementalServiceTest(testtools.TestCase):
    """A base with 24 MiB of data, and a delta of some clusters to it."""

    words = ("--no-worker",)

    def setUp(self):
        super().setUp()
        options = {"workers": {"lease_seconds": 2, "poll_interval": 0.2}}
        self.service = start_service(self, SHORT_LEASES, options, words=self.words)
        self.disks = Disks(Path(self.useFixture(fixtures.TempDir()).path))
        base = self.disks.make("base", size=64 * MIB)
        raw = self.disks.directory / "raw"
        raw.write_bytes(random.Random(0).randbytes(24 * MIB))
        run("qemu-img", "convert", "-O", "qcow2", raw, base)
        run("qemu-img", "resize", "-q", base, 64 * MIB)
        self.top_file = self.disks.make("top", (0x33, 3 * MIB, MIB), (0, 5 * MIB, MIB), base="base", size=64 * MIB)
        self.guest = self.disks.guest(self.top_file)
        self.base = self.upload(base)
        self.top = self.upload(self.top_file, os_base_image=self.base)

    def upload(self, path, **values):
        """Return the id of a new image with the data of a file."""
        image = self.service.create_image(**QCOW2, **values)
        answer = self.service.upload(image, path.read_bytes())
        self.assertEqual(204, answer.status_code, answer.text)
        return image

    def file(self, image, query=""):
        """Return the data of an image."""
        answer = self.service.request("GET", f"/v2/images/{image}/file{query}")
        self.assertEqual(200, answer.status_code, answer.text[:300])
        return answer.content

    def show(self, image):
        """Return an image."""
        return self.service.request("GET", f"/v2/images/{image}").json()

    def act(self, image, action, body=None):
        """Begin a job."""
        answer = self.service.request("POST", f"/v2/images/{image}/actions/{action}", json=body)
        self.assertEqual(202, answer.status_code, answer.text)


class ClientTest(IncrementalServiceTest):
    words = ()

    def test_client_that_knows_nothing_of_deltas_saves_a_complete_disk(self):
        client = self.useFixture(Client(self.service.state / "clouds.yaml"))
        path = Path(client.home) / "delta.qcow2"
        path.write_bytes(self.top_file.read_bytes())
        created = client.openstack(
            *("image", "create", "--disk-format", "qcow2", "--container-format", "bare"),
            *("--property", f"os_base_image={self.base}", "--file", str(path), "-f", "value", "-c", "id", "other"),
        )
        eventually(lambda: self.show(created)["os_hash_value"] is not None, "the hashes were there")
        saved = Path(client.home) / "saved.qcow2"
        client.openstack("image", "save", "--file", str(saved), created)
        self.assertEqual(self.guest, self.disks.guest_of(saved.read_bytes()))
        self.assertNotIn("backing", run("qemu-img", "info", saved))
        run("qemu-img", "compare", saved, self.top_file)

    def test_many_readers_of_one_chain_get_the_same_bytes_in_little_memory(self):
        whole = self.file(self.top)
        before = max(map(processes.own_pss_mib, processes.tree(self.service.process.pid)))
        gauge = self.useFixture(Gauge(self.service))

        def read(number):
            answer, first = None, number * 65_521 % (len(whole) - MIB)
            while answer is None or answer.status_code == 503:
                headers = {"Range": f"bytes={first}-{first + MIB - 1}"}
                answer = self.service.request("GET", f"/v2/images/{self.top}/file", headers=headers)
            return answer.content == whole[first : first + MIB]

        with ThreadPoolExecutor(50) as pool:
            self.assertEqual({True}, set(pool.map(read, range(READERS))))
        self.assertThat(gauge.peak - before, LessThan(MORE))

    def test_coalescing_and_deleting_at_once_end_well(self):
        for pause in (0, 0.05, 0.2, 0.5):
            image = self.upload(self.top_file, os_base_image=self.base)
            self.act(image, "coalesce")
            time.sleep(pause)
            self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{image}").status_code)
            eventually(partial(self.is_gone, image), f"nothing was left after {pause} s")
        self.assertEqual(self.guest, self.disks.guest_of(self.file(self.top)))

    def is_gone(self, image):
        """Tell whether no file in the store belongs to an image."""
        return not any(image in path.name for path in self.service.stored_files())


class KilledWorkersTest(IncrementalServiceTest):
    def setUp(self):
        super().setUp()
        self.seed = random.randrange(2**32)
        self.addDetail("seed", text_content(str(self.seed)))
        self.chance = random.Random(self.seed)
        log = self.service.state / "worker.log"
        self.addOnException(lambda _: self.addDetail("worker", text_content(log.read_text())))

    def test_killed_rebases_leave_a_readable_image_at_every_moment(self):
        newer = self.upload(self.disks.make("newer", (0x33, 3 * MIB, MIB), size=64 * MIB))
        bases = cycle((newer, self.base))
        self.kill_jobs(lambda: self.act(self.top, "rebase", {"base": next(bases)}))
        self.assertEqual(self.guest, self.disks.guest_of(self.file(self.top)))

    def test_killed_coalescing_leaves_a_readable_image_at_every_moment(self):
        def begin():
            if "os_base_image" not in self.show(self.top):
                self.top = self.upload(self.top_file, os_base_image=self.base)
            self.act(self.top, "coalesce")

        self.kill_jobs(begin)
        self.assertNotIn("os_base_image", self.show(self.top))
        self.assertEqual(self.guest, self.disks.guest_of(self.file(self.top)))

    def kill_jobs(self, begin):
        """Begin jobs and kill the worker of one KILLS times while it runs; then let the last one end."""
        begin()
        kills = 0
        for _ in range(10 * KILLS):
            worker = self.start_worker()
            eventually(self.is_begun, "a worker had the job")
            time.sleep(self.chance.uniform(0, LONGEST))
            worker.kill()
            worker.join()
            self.assertEqual(self.guest, self.file(self.top, "?format=raw"))
            kills += not self.is_over()
            if kills == KILLS:
                break
            if self.is_over():
                self.assert_succeeded()
                begin()
            self.end_leases()
        self.assertEqual(KILLS, kills, "a job ran when its worker was killed")
        self.end_leases()
        self.start_worker()
        eventually(self.is_over, "the job has ended")
        self.assert_succeeded()

    def start_worker(self):
        """Return a worker, as a process."""
        worker = start_worker(self.service.state)
        self.addCleanup(worker.join)
        self.addCleanup(worker.kill)
        return worker

    def end_leases(self):
        """Let the leases of killed workers end at once."""
        with closing(sqlite3.connect(self.service.state / "glance-mini.db", timeout=30)) as database, database:
            database.execute("UPDATE jobs SET lease_until = created_at WHERE state = 'processing'")

    def assert_succeeded(self):
        """Check that the youngest task has succeeded."""
        task = self.tasks()[-1]
        self.assertEqual("success", task["status"], task["message"])

    def tasks(self):
        """Return the tasks of the image."""
        return self.service.request("GET", f"/v2/images/{self.top}/tasks").json()["tasks"]

    def is_over(self):
        """Tell whether the youngest task has ended."""
        return self.tasks()[-1]["status"] in ("success", "failure")

    def is_begun(self):
        """Tell whether a worker that lives has begun the youngest task, or it has ended."""
        with closing(sqlite3.connect(self.service.state / "glance-mini.db", timeout=30)) as database:
            wanted = "SELECT 1 FROM jobs WHERE id = ? AND state = 'processing' AND lease_until > updated_at"
            is_held = database.execute(wanted, (self.tasks()[-1]["id"],)).fetchone()
        return bool(is_held) or self.is_over()
