"""The health of the parts of a service follows them, and a check that hangs costs one thread."""

import shutil
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import fixtures
import testtools

from glance_mini.domain.errors import Unavailable
from glance_mini.maintenance.health import Health, check_broker, check_queue, check_store
from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store

WAIT = 20.0


class HangingDriver(MemoryDriver):
    """A backend that does not answer until ``answers`` is set."""

    def __init__(self):
        super().__init__()
        self.answers = threading.Event()
        self.probes = 0

    def probe(self):
        self.probes += 1
        self.answers.wait(WAIT)


class HealthTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.usable = {}

    def make(self, timeout=WAIT, **checks):
        return Health(lambda: checks, self.usable.__setitem__, timeout=timeout)

    def store(self, driver):
        return lambda: check_store(Store(driver, "images"))

    def test_store_is_followed_when_it_goes_and_comes_back(self):
        directory = Path(self.useFixture(fixtures.TempDir()).join("images"))
        directory.mkdir()
        health = self.make(images=self.store(FileDriver(str(directory))))
        self.assertEqual("unknown", health.report()["status"])
        found = []
        for change in (lambda: None, directory.rmdir, directory.touch, lambda: (directory.unlink(), directory.mkdir())):
            change()
            health.look()
            found.append((self.usable["images"], health.report()["status"]))
        self.assertEqual([(True, "ok"), (False, "failing"), (False, "failing"), (True, "ok")], found)
        self.assertGreater(health.report()["parts"]["images"]["free_bytes"], 0)
        self.assertEqual(1, self.log.output.count("check of images fails"))
        self.assertEqual(1, self.log.output.count("check of images succeeds again"))

    def test_check_that_hangs_costs_one_thread_and_holds_up_no_other_part(self):
        driver = HangingDriver()
        self.addCleanup(driver.answers.set)
        health = self.make(0.05, images=self.store(driver), other=dict)
        threads = threading.active_count()
        for _ in range(5):
            health.look()
        self.assertEqual((1, threads + 1), (driver.probes, threading.active_count()))
        self.assertEqual({"images": False, "other": True}, self.usable)
        driver.answers.set()
        health._parts["images"]._thread.join(WAIT)
        health.look()
        self.assertEqual({"images": True, "other": True}, self.usable)

    def test_unknown_error_is_a_failing_part_that_shows_no_text_of_it(self):
        def check():
            raise ValueError("secret")

        health = self.make(part=check)
        health.look()
        self.assertEqual({"status": "failing", "reason": "ValueError"}, health.report()["parts"]["part"])

    def test_thread_looks_by_itself(self):
        looked = threading.Event()
        health = Health(lambda: {"part": dict}, lambda *_: looked.set())
        self.addCleanup(health.close)
        health.start()
        self.assertTrue(looked.wait(WAIT))


class CheckTest(testtools.TestCase):
    def test_workers_are_missing_when_due_jobs_wait_long_and_none_runs(self):
        for running, seconds, is_missing in ((0, 0, False), (0, 60, False), (1, 600, False), (0, 600, True)):
            figures = {"running": running, "waiting": 1, "waiting_seconds": seconds}
            data = SimpleNamespace(run=lambda call, figures=figures: figures)
            if is_missing:
                self.assertRaises(Unavailable, check_queue, data)
            else:
                self.assertEqual(figures, check_queue(data))

    def test_one_broker_of_several_is_enough_and_no_password_is_in_the_error(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            check_broker(f"rabbit://u:p@127.0.0.1:9,u:p@127.0.0.1:{port}/vhost")
        error = self.assertRaises(OSError, check_broker, f"rabbit://user:secret@127.0.0.1:{port}/")
        self.assertIn(f"127.0.0.1:{port}", str(error))
        self.assertNotIn("secret", str(error))

    def test_directory_of_a_store_may_be_on_a_small_or_a_large_disk(self):
        directory = self.useFixture(fixtures.TempDir()).path
        free = shutil.disk_usage(directory).free
        found = check_store(Store(FileDriver(directory), "images"))["free_bytes"]
        self.assertLess(abs(found - free), 1 << 30)
