"""The contract for who watches jobs: told of each that begins or ends, in its transaction and after it."""

from datetime import timedelta

from glance_mini.db.outbox_interface import OutboxEvent
from glance_mini.domain import errors
from tests.contract.db.job_samples import EXPIRY, LAPSED, NOW, SOON, JobContractBase

MINUTE = timedelta(minutes=1)


class Watcher:
    """Remembers what it was told, and stores an event for each job."""

    def __init__(self, error=None):
        self.committed_states = []
        self._error = error

    def stored(self, changed):
        if self._error is not None:
            raise self._error
        return [OutboxEvent(f"task.{job.state}", {"id": job.id, "attempts": job.attempts}, NOW) for job in changed]

    def committed(self, changed):
        self.committed_states += [(job.id, job.state) for job in changed]


class WatchContract(JobContractBase):
    def watch(self):
        """Let all that happens from here on be told."""
        self.watcher = Watcher()
        self.jobs = self.jobs.watched_by(self.watcher)

    def told_of_jobs(self):
        """Return the ids and states that were told since the last time, once the stored events agree."""
        events = self.outbox.take_events("test", NOW, NOW + MINUTE, 100)
        self.outbox.finish_events([event.id for event in events])
        told, self.watcher.committed_states = self.watcher.committed_states, []
        self.assertEqual([(event.payload["id"], event.type.removeprefix("task.")) for event in events], told)
        return told

    def test_job_is_told_of_when_it_is_given_out_and_when_it_ends(self):
        self.watch()
        for state in ("success", "failure"):
            added = self.add()
            self.assertEqual([], self.told_of_jobs())
            held = self.claim()
            self.assertEqual([(added.id, "processing")], self.told_of_jobs())
            self.jobs.renew_jobs("worker", [held.id], LAPSED)
            held = self.jobs.save_checkpoint(held, {"step": 1}, "half", SOON)
            self.assertEqual([], self.told_of_jobs())
            self.jobs.finish_job(held, state, None, "", SOON, EXPIRY)
            self.assertEqual([(added.id, state)], self.told_of_jobs())

    def test_claim_that_finds_nothing_is_told_to_nobody(self):
        self.watch()
        self.assertIsNone(self.claim())
        self.assertEqual([], self.told_of_jobs())

    def test_cancelled_job_is_told_of_where_that_ends_it(self):
        self.watch()
        waiting, running = self.add(due_at=LAPSED), self.add()
        self.claim()
        self.told_of_jobs()
        self.jobs.cancel_job(running.id, SOON)
        self.assertEqual([], self.told_of_jobs())
        self.jobs.cancel_job(waiting.id, SOON)
        self.assertEqual([(waiting.id, "failure")], self.told_of_jobs())

    def test_dead_job_whose_lock_is_broken_is_told_of(self):
        self.watch()
        image = self.create(status="active")
        dead = self.start_import(image)
        self.told_of_jobs()
        self.begin_import(image, NOW + 61 * MINUTE)
        self.assertEqual([(dead.id, "failure")], self.told_of_jobs())

    def test_its_own_events_of_a_change_come_too(self):
        self.watch()
        image = self.create(status="active")
        dead = self.start_import(image)
        self.told_of_jobs()
        self.jobs = self.jobs.with_events(lambda result: [OutboxEvent("image.update", {"id": result.id}, NOW)])
        self.begin_import(image, NOW + 61 * MINUTE)
        events = self.outbox.take_events("test", NOW, NOW + MINUTE, 100)
        self.assertEqual([dead.id, image.id], [event.payload["id"] for event in events])

    def test_change_that_cannot_be_told_does_not_happen(self):
        added = self.add()
        telling, self.jobs = self.jobs, self.jobs.watched_by(Watcher(ZeroDivisionError()))
        self.assertRaises(ZeroDivisionError, self.claim)
        self.assertEqual("pending", telling.get_job(added.id).state)

    def test_change_that_does_not_happen_is_not_told(self):
        self.watch()
        self.add()
        held = self.claim()
        self.told_of_jobs()
        self.jobs.finish_job(held, "success", None, "", SOON, EXPIRY)
        self.told_of_jobs()
        self.assertRaises(errors.Gone, self.jobs.finish_job, held, "success", None, "", SOON, EXPIRY)
        self.assertRaises(errors.Conflict, self.jobs.cancel_job, held.id, SOON)
        self.assertEqual([], self.told_of_jobs())
