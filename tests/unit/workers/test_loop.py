"""What a worker makes of jobs that succeed, fail, are cancelled, are lost or must be handed back."""

import threading

import fixtures
import testtools

from glance_mini.domain.errors import NotFound, Unavailable
from glance_mini.metrics import Metrics
from glance_mini.operations.jobs import AddJob, CancelJob, GetJob
from glance_mini.workers.base import JobFailed, JobStopped
from glance_mini.workers.loop import MOST_BEGINNINGS
from tests.unit.layers.support import count
from tests.unit.workers.support import WAIT, Clock, Gate, Script, make_job, make_worker, open_data


class WorkerTestCase(testtools.TestCase):
    """A worker with one type of job and a clock that stands still; jobs run where ``run_one`` is called."""

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.clock = Clock()
        self.data = open_data(self, self.clock)
        self.script = Script()
        self.metrics = Metrics()
        self.worker = self.make_worker()

    def make_worker(self, script=None, **settings):
        """Return another worker on the same jobs."""
        return make_worker(self.data, script or self.script, clock=self.clock, metrics=self.metrics, **settings)

    def add(self, **values):
        """Return the id of a new job."""
        return self.data.run(AddJob(make_job(**values))).id

    def job(self, job_id):
        """Return the job as the database has it."""
        return self.data.run(GetJob(job_id))

    def fail_with(self, error):
        """Let all work raise ``error``."""

        def work(job, control):
            raise error

        self.script.work = work

    def run_aside(self, worker=None):
        """Run one job in a thread until it waits at a gate; return gate and thread."""
        gate = Gate()
        self.addCleanup(gate.opened.set)

        def work(job, control):
            gate.pass_through()
            control.check()
            control.checkpoint({"step": 1})
            return {}

        self.script.work = work
        thread = threading.Thread(target=(worker or self.worker).run_one)
        thread.start()
        self.addCleanup(thread.join, WAIT)
        self.assertTrue(gate.reached.wait(WAIT))
        return gate, thread

    def end(self, gate, thread):
        """Let the job at the gate go on, and wait for its end."""
        gate.opened.set()
        thread.join(WAIT)

    def outcomes(self, outcome):
        """Return how many jobs had that outcome."""
        return count(self.metrics.jobs, "script", outcome)


class TestEnds(WorkerTestCase):
    def test_result_and_state_are_written_and_the_record_expires(self):
        job_id = self.add()
        self.assertTrue(self.worker.run_one())
        job = self.job(job_id)
        self.assertEqual(("success", {"done": True}, ""), (job.state, job.result, job.message))
        self.assertEqual(48 * 3600, (job.expires_at - self.clock()).total_seconds())
        self.assertEqual(1, self.outcomes("success"))
        self.assertFalse(self.worker.run_one())

    def test_checkpoint_and_message_are_kept_and_a_checkpoint_without_a_message_keeps_the_last_one(self):
        def work(job, control):
            control.checkpoint({"step": 1}, "half of it")
            control.checkpoint({"step": 2})
            seen.append(self.job(job.id))
            raise Unavailable(reason="not now")

        seen = []
        self.script.work = work
        self.add()
        self.worker.run_one()
        self.assertEqual(({"step": 2}, "half of it"), (seen[0].checkpoint, seen[0].message))

    def test_what_a_job_tells_leaves_its_checkpoint_as_it_is(self):
        def work(job, control):
            control.checkpoint({"step": 1}, "a step")
            control.report_progress("half of it")
            seen.append(self.job(job.id))
            self.data.run(CancelJob(job.id))
            self.assertRaises(JobStopped, control.report_progress, "all of it")
            return {}

        seen = []
        self.script.work = work
        job_id = self.add()
        self.worker.run_one()
        self.assertEqual(({"step": 1}, "half of it"), (seen[0].checkpoint, seen[0].message))
        self.assertNotEqual("all of it", self.job(job_id).message)

    def test_job_that_cannot_succeed_is_given_up_with_its_reason(self):
        self.fail_with(JobFailed(reason="The checksum is another one."))
        job_id = self.add()
        self.worker.run_one()
        job = self.job(job_id)
        self.assertEqual(("failure", "The checksum is another one.", None), (job.state, job.message, job.result))
        self.assertEqual([(job_id, "The checksum is another one.")], self.script.given_up)

    def test_refusal_of_the_service_ends_a_job_as_well(self):
        self.fail_with(NotFound(kind="image", id="i1"))
        job_id = self.add()
        self.worker.run_one()
        self.assertEqual("No image found with ID i1", self.job(job_id).message)

    def test_job_of_an_unknown_kind_is_left_to_others(self):
        self.add(kind="other")
        self.assertFalse(self.worker.run_one())

    def test_job_that_killed_its_worker_too_often_is_not_begun_again(self):
        job_id = self.add(attempts=MOST_BEGINNINGS)
        self.worker.run_one()
        job = self.job(job_id)
        self.assertEqual(("failure", 1), (job.state, len(self.script.given_up)))
        self.assertIn(str(MOST_BEGINNINGS), job.message)


class TestRetries(WorkerTestCase):
    def test_errors_that_may_pass_bring_retries_with_a_growing_delay_and_then_the_end(self):
        self.fail_with(Unavailable(reason="The store does not answer."))
        job_id = self.add()
        for least in (4, 8):
            self.assertTrue(self.worker.run_one())
            job = self.job(job_id)
            self.assertEqual(("pending", "The store does not answer."), (job.state, job.message))
            delay = (job.due_at - self.clock()).total_seconds()
            self.assertTrue(least <= delay <= least * 1.5, delay)
            self.assertFalse(self.worker.run_one())
            self.clock.move(delay)
        self.worker.run_one()
        self.assertEqual("failure", self.job(job_id).state)
        self.assertEqual([(job_id, "The store does not answer.")], self.script.given_up)
        self.assertEqual((2, 1), (self.outcomes("retried"), self.outcomes("failure")))

    def test_error_that_nobody_foresaw_stands_in_the_log_and_is_not_shown_to_the_user(self):
        self.fail_with(ValueError("password=secret"))
        job_id = self.add()
        self.make_worker(max_attempts=1).run_one()
        self.assertNotIn("secret", self.job(job_id).message)
        self.assertIn("ValueError: password=secret", self.log.output)

    def test_checkpoint_survives_a_retry_and_the_count_of_errors_survives_checkpoints(self):
        def work(job, control):
            seen.append(job.checkpoint.get("step", 0))
            control.checkpoint({"step": seen[-1] + 1})
            raise Unavailable(reason="not now")

        seen = []
        self.script.work = work
        job_id = self.add()
        for _ in range(3):
            self.worker.run_one()
            self.clock.move(600)
        self.assertEqual([0, 1, 2], seen)
        self.assertEqual("failure", self.job(job_id).state)

    def test_beginnings_after_a_worker_died_do_not_count_as_errors(self):
        self.fail_with(Unavailable(reason="not now"))
        job_id = self.add(attempts=10)
        self.worker.run_one()
        self.assertEqual("pending", self.job(job_id).state)

    def test_job_whose_remains_cannot_be_put_right_is_tried_again_and_not_forgotten(self):
        def give_up(job, reason):
            if len(self.script.given_up) < 1:
                self.script.given_up.append(reason)
                raise Unavailable(reason="not now")

        self.fail_with(JobFailed(reason="no"))
        self.script.give_up = give_up
        job_id = self.add()
        self.worker.run_one()
        self.assertEqual("pending", self.job(job_id).state)
        self.clock.move(3600)
        self.worker.run_one()
        self.assertEqual(("failure", "no"), (self.job(job_id).state, self.job(job_id).message))


class TestCancelled(WorkerTestCase):
    def test_running_job_stops_at_its_next_check_after_the_leases_were_renewed(self):
        job_id = self.add()
        gate, thread = self.run_aside()
        self.data.run(CancelJob(job_id))
        self.worker.leases.renew()
        self.end(gate, thread)
        job = self.job(job_id)
        self.assertEqual(("failure", "The job was cancelled.", {}), (job.state, job.message, job.checkpoint))
        self.assertEqual([(job_id, "The job was cancelled.")], self.script.given_up)
        self.assertEqual(1, self.outcomes("cancelled"))

    def test_running_job_stops_at_its_next_checkpoint_without_waiting_for_a_renewal(self):
        job_id = self.add()
        gate, thread = self.run_aside()
        self.data.run(CancelJob(job_id))
        self.end(gate, thread)
        self.assertEqual("failure", self.job(job_id).state)
        self.assertEqual(1, len(self.script.given_up))

    def test_job_that_waits_for_its_next_attempt_is_given_up_without_being_run(self):
        self.fail_with(Unavailable(reason="not now"))
        job_id = self.add()
        self.worker.run_one()
        self.data.run(CancelJob(job_id))
        self.fail_with(AssertionError("it was run"))
        self.worker.run_one()
        self.assertEqual("failure", self.job(job_id).state)
        self.assertEqual([(job_id, "The job was cancelled.")], self.script.given_up)

    def test_lease_of_a_cancelled_job_is_kept_while_it_is_given_up(self):
        job_id = self.add()
        gate, thread = self.run_aside()
        self.data.run(CancelJob(job_id))
        self.clock.move(50)
        self.worker.leases.renew()
        self.clock.move(50)
        self.assertFalse(self.make_worker(Script()).run_one())
        self.end(gate, thread)
        self.assertEqual("failure", self.job(job_id).state)


class TestLost(WorkerTestCase):
    def take_over(self, job_id):
        """Let the lease end and another worker end the job."""
        self.clock.move(61)
        self.assertTrue(self.make_worker(Script(lambda job, control: {"by": "the other"})).run_one())

    def test_job_that_another_worker_has_taken_writes_nothing_more(self):
        job_id = self.add()
        gate, thread = self.run_aside()
        self.take_over(job_id)
        after = self.job(job_id)
        self.end(gate, thread)
        self.assertEqual(after, self.job(job_id))
        self.assertEqual({"by": "the other"}, after.result)
        self.assertEqual([], self.script.given_up)
        self.assertEqual(1, self.outcomes("lost"))

    def test_job_that_ends_after_it_was_lost_changes_nothing(self):
        for error in (None, JobFailed(reason="late"), Unavailable(reason="late")):
            job_id = self.add()
            gate = Gate()

            def work(job, control, gate=gate, error=error):
                gate.pass_through()
                if error:
                    raise error
                return {"by": "the late one"}

            self.script.work = work
            thread = threading.Thread(target=self.worker.run_one)
            thread.start()
            self.assertTrue(gate.reached.wait(WAIT))
            self.take_over(job_id)
            self.end(gate, thread)
            self.assertEqual({"by": "the other"}, self.job(job_id).result)
        self.assertEqual([], self.script.given_up)

    def test_lease_that_could_not_be_renewed_stops_the_job_even_if_nobody_could_tell(self):
        self.add()
        seen = []

        def work(job, control):
            control.check()
            self.clock.move(60)
            try:
                control.check()
            except JobStopped as error:
                seen.append(str(error))
                raise

        self.script.work = work
        self.worker.run_one()
        self.assertEqual(["The lease has ended; the job is another worker's now."], seen)

    def test_renewed_lease_is_not_taken_over(self):
        job_id = self.add()
        gate, thread = self.run_aside()
        for _ in range(3):
            self.clock.move(45)
            self.worker.leases.renew()
        self.assertFalse(self.make_worker(Script()).run_one())
        self.end(gate, thread)
        self.assertEqual("success", self.job(job_id).state)

    def test_worker_does_not_run_a_job_twice_at_once_when_its_own_lease_has_ended(self):
        job_id = self.add()
        gate, thread = self.run_aside()
        self.clock.move(61)
        self.script.work = lambda job, control: self.fail("it ran twice at once")
        self.assertFalse(self.worker.run_one())
        self.end(gate, thread)
        self.assertEqual("pending", self.job(job_id).state)
        self.clock.move(61)
        self.script.work = lambda job, control: {"again": True}
        self.worker.run_one()
        self.assertEqual({"again": True}, self.job(job_id).result)


class TestStop(WorkerTestCase):
    def test_running_job_is_handed_back_at_once_and_keeps_its_checkpoint(self):
        job_id = self.add(checkpoint={"step": 7}, message="half of it")
        gate, thread = self.run_aside()
        self.worker.stop()
        self.end(gate, thread)
        job = self.job(job_id)
        self.assertEqual(("pending", {"step": 7}, "half of it"), (job.state, job.checkpoint, job.message))
        self.assertEqual(self.clock(), job.due_at)
        self.assertEqual(([], 1), (self.script.given_up, self.outcomes("handed_back")))
        self.assertTrue(self.make_worker(Script()).run_one())

    def test_job_that_is_done_when_the_worker_stops_is_done(self):
        job_id = self.add()
        self.script.work = lambda job, control: self.worker.stop() or {"done": True}
        self.worker.run_one()
        self.assertEqual("success", self.job(job_id).state)

    def test_stopped_worker_takes_no_further_job(self):
        worker = self.make_worker(threads=2)
        worker.start()
        worker.stop()
        self.assertTrue(worker.join(WAIT))
        job_id = self.add()
        self.assertEqual(("pending", 0), (self.job(job_id).state, self.job(job_id).attempts))

    def test_worker_that_waits_for_a_job_that_does_not_stop_goes_after_its_time(self):
        gate = Gate()
        self.addCleanup(gate.opened.set)
        self.script.work = lambda job, control: gate.pass_through()
        worker = self.make_worker(threads=1)
        self.add()
        worker.start()
        self.assertTrue(gate.reached.wait(WAIT))
        worker.stop()
        self.assertFalse(worker.join(0.05))
        gate.opened.set()
        self.assertTrue(worker.join(WAIT))
