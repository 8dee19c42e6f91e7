"""Real workers as processes: killed, stopped, many at once, and as a part of ``glance-mini serve``."""

import os
import signal
import socket
import uuid
from collections import Counter
from pathlib import Path

import fixtures
import testtools
from testtools.content import content_from_file

from glance_mini import conf as configuration
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.job import Job
from glance_mini.operations.jobs import AddJob, CancelJob, GetJob
from glance_mini.standalone.state import StateDirectory
from glance_mini.workers.wakeup import open_waker
from tests.functional import slow_jobs
from tests.functional.entry_points import EntryPoints
from tests.functional.service import STOP_SECONDS, Service
from tests.http_server.running import eventually
from tests.ports import free_port
from tests.programs import start

WAIT_SECONDS = 60

CONFIGURATION = """
[workers]
lease_seconds = {lease_seconds}
poll_interval = 0.2
"""


def is_reachable(port):
    """Tell whether somebody listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), WAIT_SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


class WorkerProcess(fixtures.Fixture):
    """``glance-mini-worker`` on a state directory, or with the configuration ``file``."""

    def __init__(self, state, *words, file=None):
        super().__init__()
        self._source = ["--config-file", str(file)] if file else ["--state", str(state)]
        self._words = words

    def _setUp(self):
        self.log = Path(self.useFixture(fixtures.TempDir()).path) / "log"
        with open(self.log, "wb") as log:
            self.process = start("glance_mini.cmd.worker", *self._source, *self._words, stderr=log)
        self.addDetail("worker", content_from_file(self.log, buffer_now=False))
        self.addCleanup(self.end, signal.SIGKILL)

    def end(self, number=signal.SIGTERM):
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


class WorkerTestCase(testtools.TestCase):
    """A state directory with a database, and jobs in it."""

    kinds = {"steps": "StepsJob"}
    lease_seconds = 2

    def setUp(self):
        super().setUp()
        targets = {kind: f"tests.functional.slow_jobs:{name}" for kind, name in self.kinds.items()}
        self.useFixture(EntryPoints("glance_mini.jobs", **targets))
        self.state = StateDirectory(Path(self.useFixture(fixtures.TempDir()).path) / "state")
        self.state.create()
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(lease_seconds=self.lease_seconds))
        self.log = self.state.path / "log"
        engine = make_engine(f"sqlite:///{self.state.path}/glance-mini.db")
        schema.sync(engine)
        self.data = SqlDataAccess(engine)
        self.addCleanup(self.data.close)

    def add(self, **values):
        """Return the id of a new job with that input."""
        job = Job(id=str(uuid.uuid4()), kind="steps", input={"log": str(self.log), **values})
        return self.data.run(AddJob(job)).id

    def start(self, *words):
        """Return a new worker process."""
        return self.useFixture(WorkerProcess(self.state.path, *words))

    def noted(self, word):
        """Return the lines of the log that begin with ``word``: what was noted, the process, and when."""
        lines = slow_jobs.noted(self.log)
        return [(what, int(pid), int(moment)) for first, what, pid, moment in lines if first == word]

    def state_of(self, job_id):
        """Return the state of a job."""
        return self.data.run(GetJob(job_id)).state

    def wait_until(self, is_so):
        """Wait until that is so."""
        eventually(is_so, f"what is waited for came: {self.log.read_text() if self.log.exists() else 'no note'}")


class LifeTest(WorkerTestCase):
    def test_job_of_a_killed_worker_goes_on_from_its_checkpoint_when_the_lease_has_ended(self):
        job_id = self.add(steps=30, seconds=0.1)
        first = self.start()
        self.wait_until(lambda: len(self.noted("step")) >= 5)
        first.end(signal.SIGKILL)
        killed_at = len(self.noted("step"))
        self.start()
        self.wait_until(lambda: self.state_of(job_id) == "success")
        steps = [int(what) for what, _, _ in self.noted("step")]
        self.assertEqual(set(range(30)), set(steps))
        self.assertLessEqual(len(steps), 31)
        self.assertIn(steps[killed_at], (killed_at - 1, killed_at))
        self.assertEqual((2, 1), (len(self.noted("begin")), len(self.noted("end"))))

    def test_worker_that_is_stopped_hands_its_jobs_back_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            job_id = self.add(steps=200, seconds=0.1)
            worker = self.start("--threads", "1")
            before = len(self.noted("step"))
            self.wait_until(lambda before=before: len(self.noted("step")) > before + 1)
            self.assertEqual(0, worker.end(number), worker.log.read_text())
            job = self.data.run(GetJob(job_id))
            self.assertEqual(("pending", None), (job.state, job.process))
            self.assertLessEqual(1, job.checkpoint["step"])
            self.data.run(CancelJob(job_id))

    def test_cancelled_job_stops_in_the_worker(self):
        job_id = self.add(steps=600, seconds=0.1)
        self.start()
        self.wait_until(lambda: self.noted("step"))
        self.data.run(CancelJob(job_id))
        self.wait_until(lambda: self.state_of(job_id) == "failure")
        self.assertEqual([], self.noted("end"))

    def test_worker_without_tables_says_so_in_one_line(self):
        (self.state.path / "glance-mini.db").unlink()
        worker = self.start()
        self.assertEqual(1, worker.process.wait(WAIT_SECONDS))
        self.assertIn("glance-mini-worker: ", worker.log.read_text())


class BrokerTest(WorkerTestCase):
    def assert_works_without(self, port):
        """A worker whose broker should be at ``port`` does a job and ends in order."""
        text = self.state.config_file.read_text()
        url = f"[DEFAULT]\ntransport_url = rabbit://guest:guest@127.0.0.1:{port}/\n"
        self.state.config_file.write_text(text.replace("[DEFAULT]\n", url))
        waker = open_waker(configuration.load(files=[self.state.config_file]))
        self.addCleanup(waker.close)
        job_id = self.add()
        worker = self.start()
        waker.wake()
        self.wait_until(lambda: self.state_of(job_id) == "success")
        self.assertEqual(0, worker.end())

    def test_worker_without_a_broker_finds_its_jobs_and_ends_in_order(self):
        self.assert_works_without(free_port())

    def test_worker_with_a_broker_that_says_nothing_finds_its_jobs_and_ends_in_order(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.assert_works_without(silent.getsockname()[1])


class ManyTest(WorkerTestCase):
    # Four workers and the test write into one file: a living one may have to wait for its turn to renew its leases.
    lease_seconds = 6

    def test_thousand_jobs_and_four_workers_one_of_them_killed(self):
        ids = {self.add() for _ in range(1000)}
        workers = [self.start() for _ in range(4)]
        self.wait_until(lambda: len(self.noted("end")) > 300)
        workers[0].end(signal.SIGKILL)
        self.wait_until(lambda: not self.unfinished(ids))
        self.assertEqual({"success"}, {self.state_of(job_id) for job_id in ids})
        ends = Counter(what for what, _, _ in self.noted("end"))
        self.assertEqual(ids, set(ends))
        # A job is begun twice only where the first worker died in it or before it could write down the end.
        begun = Counter(what for what, _, _ in self.noted("begin"))
        twice = {what for what, count in begun.items() if count > 1}
        self.assertLessEqual(len(twice), 4)
        for job_id in twice:
            moments = [moment for what, _, moment in self.noted("begin") if what == job_id]
            self.assertGreater(moments[1] - moments[0], 1e9)

    def unfinished(self, ids):
        """Tell whether a job is still waiting or running."""
        return len({what for what, _, _ in self.noted("end")}) < len(ids) or any(
            self.state_of(job_id) not in ("success", "failure") for job_id in ids
        )


class ServeTest(WorkerTestCase):
    def test_service_runs_a_worker_and_stops_it_in_order(self):
        job_id = self.add(steps=600, seconds=0.1)
        service = self.useFixture(Service(self.state.path))
        self.wait_until(lambda: self.noted("step"))
        self.assertEqual(0, service.stop())
        job = self.data.run(GetJob(job_id))
        self.assertEqual(("pending", None), (job.state, job.process), service.log.read_text())

    def test_worker_that_dies_is_replaced_and_another_goes_on_with_its_job(self):
        job_id = self.add(steps=40, seconds=0.1)
        service = self.useFixture(Service(self.state.path))
        self.wait_until(lambda: self.noted("step"))
        os.kill(self.noted("begin")[0][1], signal.SIGKILL)
        self.wait_until(lambda: self.state_of(job_id) == "success")
        self.assertEqual(2, len({pid for _, pid, _ in self.noted("begin")}))
        self.assertEqual(200, service.request("GET", "/v2/images").status_code)

    def test_second_interrupt_does_not_wait_for_a_job_that_does_not_stop(self):
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write("graceful_timeout = 3600\n[server]\ngraceful_timeout = 3600\n")
        self.add(steps=2, seconds=600)
        service = self.useFixture(Service(self.state.path))
        self.wait_until(lambda: self.noted("begin"))
        service.process.send_signal(signal.SIGINT)
        self.wait_until(lambda: not is_reachable(service.port))
        self.assertEqual(0, service.stop(signal.SIGINT))

    def test_hangup_lets_the_same_worker_read_the_stores_again(self):
        service = self.useFixture(Service(self.state.path))
        first = self.add()
        self.wait_until(lambda: self.state_of(first) == "success")
        service.process.send_signal(signal.SIGHUP)
        # The process that answers requests and the one that runs jobs.
        self.wait_until(lambda: service.log.read_text().count("The stores were read again") == 2)
        second = self.add()
        self.wait_until(lambda: self.state_of(second) == "success")
        first, second = (self.data.run(GetJob(job)).result["pid"] for job in (first, second))
        self.assertEqual(first, second)

    def test_worker_ends_when_the_service_is_gone(self):
        self.add(steps=600, seconds=0.1)
        service = self.useFixture(Service(self.state.path))
        self.wait_until(lambda: self.noted("step"))
        worker = self.noted("begin")[0][1]
        service.process.kill()
        service.process.wait(STOP_SECONDS)
        self.wait_until(lambda: not Path(f"/proc/{worker}").exists())

    def test_service_runs_no_worker_where_it_shall_not(self):
        job_id = self.add()
        service = self.useFixture(Service(self.state.path, "--no-worker"))
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
        self.assertEqual(1, len(children))
        self.start()
        self.wait_until(lambda: self.state_of(job_id) == "success")

    def test_figures_of_jobs_are_among_those_of_the_service(self):
        job_id = self.add()
        service = self.useFixture(Service(self.state.path))
        self.wait_until(lambda: self.state_of(job_id) == "success")
        line = 'glance_mini_jobs_total{kind="steps",outcome="success"} 1.0'
        self.wait_until(lambda: line in service.request("GET", "/metrics").text)


class BrokenTest(WorkerTestCase):
    kinds = {"broken": "BrokenJob"}

    def test_type_of_job_that_cannot_be_built_stops_the_service_and_the_worker(self):
        service = self.useFixture(Service(self.state.path))
        worker = self.start()
        self.assertEqual((1, 1), (service.process.wait(WAIT_SECONDS), worker.process.wait(WAIT_SECONDS)))
        for log in (service.log, worker.log):
            self.assertIn("this type of job is broken", log.read_text())
