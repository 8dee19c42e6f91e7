"""The lanes of a worker: who waits for whom, and how many threads and jobs each lane has."""

import threading

import testtools

from glance_mini.domain.job import JobLimits
from glance_mini.operations.jobs import AddJob
from glance_mini.workers.base import QUICK
from glance_mini.workers.settings import WorkerSettings
from tests.unit.layers.support import make_conf
from tests.unit.workers.support import WAIT, Script, make_job, make_worker, open_data


class QuickScript(Script):
    """A script that waits for nothing foreign."""

    kind = "quick"
    lane = QUICK


class TestLanes(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.data = open_data(self)
        self.may_end = threading.Event()
        self.addCleanup(self.may_end.set)

    def start(self, *types, **settings):
        worker = make_worker(self.data, *types, **settings)
        worker.start()
        self.addCleanup(worker.join, WAIT)
        self.addCleanup(worker.stop)
        self.addCleanup(self.may_end.set)

    def add(self, count, **values):
        for _ in range(count):
            self.data.run(AddJob(make_job(**values)))

    def test_quick_jobs_do_not_wait_behind_slow_ones(self):
        began, done = threading.Semaphore(0), threading.Semaphore(0)
        slow = Script(lambda job, control: began.release() or (self.may_end.wait(WAIT) and {}))
        quick = QuickScript(lambda job, control: done.release() or {})
        self.add(9, priority=50)
        self.start(slow, quick, threads=2)
        for _ in range(2):
            self.assertTrue(began.acquire(timeout=WAIT))
        self.add(5, kind="quick", priority=-50)
        for _ in range(5):
            self.assertTrue(done.acquire(timeout=WAIT), "a quick job waits")
        self.assertFalse(began.acquire(timeout=0.2), "a slow job took a quick thread")

    def test_quick_jobs_do_not_count_for_the_share_of_a_project(self):
        done = threading.Event()
        quick = QuickScript(lambda job, control: self.may_end.wait(WAIT) and {})
        slow = Script(lambda job, control: done.set() or {})
        self.add(4, kind="quick", project_id="p")
        self.add(1, project_id="p")
        self.start(slow, quick, limits=JobLimits(per_project=1), quick_limits=JobLimits(per_project=1))
        self.assertTrue(done.wait(WAIT))

    def test_a_worker_without_quick_jobs_has_one_lane(self):
        worker = make_worker(self.data, Script(), threads=3)
        self.add(1)
        self.assertTrue(worker.run_one())
        self.assertFalse(worker.run_one())


class TestShares(testtools.TestCase):
    def settings(self, **options):
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        return WorkerSettings.from_config(make_conf(self, f"[workers]\n{lines}"))

    def test_a_project_gets_half_of_the_threads_but_at_least_one(self):
        for threads, share in ((1, 1), (2, 1), (3, 1), (4, 2), (9, 4)):
            settings = self.settings(threads=threads, quick_threads=threads)
            self.assertEqual(JobLimits(share), settings.limits)
            self.assertEqual(JobLimits(share), settings.quick_limits)

    def test_an_operator_names_another_share_or_none(self):
        self.assertEqual(JobLimits(3, 7), self.settings(jobs_per_project=3, jobs_per_store=7).limits)
        self.assertEqual(JobLimits(None), self.settings(jobs_per_project=0).limits)
