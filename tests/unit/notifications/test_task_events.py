"""The events of the beginning and the end of tasks: by which calls they are caused, and by both ways to the broker."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import testtools
from sqlalchemy import func, update

from glance_mini.db.sqlalchemy.models import jobs
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import Conflict, Gone
from glance_mini.domain.imports import ImportBegun
from glance_mini.domain.job import TASK_KINDS
from glance_mini.notifications.event_rules import events_for
from glance_mini.operations.jobs import AddJob, CancelJob, ClaimJob, FinishJob, GetJob
from glance_mini.operations.records import BeginImport
from glance_mini.testing.samples import make_image, make_job
from glance_mini_store import errors as store_errors
from tests.unit.jobs.support import ImportCase, Interrupted

CALLER = {"request_id": "req-1", "user_id": "u1", "project_id": "p1", "roles": ["member"]}
ASKING = Cause("import_image", "u9", "p9", ("reader",), "req-9")
LEASE, KEEP = timedelta(seconds=60), timedelta(hours=5)
CLAIM = ClaimJob("worker", TASK_KINDS, LEASE)

AWAY = store_errors.RemoteServiceUnavailable(reason="it is being moved")
BEGINNING = ["task.create", "task.run", "task.processing"]


def job_of(kind="import", **values):
    """Return a job in the name of the user u1."""
    return make_job(kind=kind, roles=("member",), **values)


class TestRules(testtools.TestCase):
    def types(self, call, result, cause=None):
        """Return the types of the events of a call, which name the job and the one who asked for it."""
        events = events_for(call, result, cause)
        for event in events:
            self.assertEqual((result.id, result.image_id), (event.payload["id"], event.image_id))
            self.assertEqual(CALLER, event.caller)
        return [event.type for event in events]

    def test_task_begins_with_its_first_attempt_and_no_other(self):
        for kind in TASK_KINDS:
            for attempts, expected in ((1, ["task.run", "task.processing"]), (2, []), (50, [])):
                job = job_of(kind, state="processing", attempts=attempts)
                self.assertEqual(expected, self.types(CLAIM, job), (kind, attempts))

    def test_claim_that_finds_nothing_causes_no_event(self):
        self.assertEqual([], events_for(CLAIM, None, None))

    def test_task_ends_with_success_or_failure(self):
        for state in ("success", "failure"):
            job = job_of(state=state)
            self.assertEqual([f"task.{state}"], self.types(FinishJob(job, state, None, "", KEEP), job))

    def test_cancelled_task_ends_at_once_only_where_it_did_not_run(self):
        for state, expected in (("failure", ["task.failure"]), ("processing", [])):
            job = job_of(state=state, is_cancelled=True)
            self.assertEqual(expected, self.types(CancelJob(job.id), job))

    def test_events_of_a_task_name_the_one_who_asked_for_it_whoever_ends_it(self):
        job = job_of(state="failure")
        self.assertEqual(["task.failure"], self.types(CancelJob(job.id), job, ASKING))

    def test_dead_task_whose_lock_is_broken_fails_before_the_events_of_the_import(self):
        image = make_image()
        dead, job = job_of("api_image_import", id="dead", state="failure"), job_of("api_image_import")
        begin = BeginImport(job, "active", "active", {})
        events = events_for(begin, ImportBegun(image, job, (dead,)), ASKING)
        self.assertEqual(["task.failure", "task.create", "image.prepare"], [event.type for event in events])
        self.assertEqual(["dead", job.id, image.id], [event.payload["id"] for event in events])
        self.assertEqual([CALLER, ASKING.caller(), ASKING.caller()], [event.caller for event in events])
        (failure,) = events_for(begin, ImportBegun(image, job, (dead,)), None)
        self.assertEqual("task.failure", failure.type)

    def test_new_task_is_created_by_a_request(self):
        job = job_of()
        (event,) = events_for(AddJob(job), job, ASKING)
        self.assertEqual(("task.create", ASKING.caller()), (event.type, event.caller))
        self.assertEqual("pending", event.payload["status"])
        self.assertEqual([], events_for(AddJob(job), job, None))

    def test_jobs_that_are_no_tasks_cause_no_event(self):
        job = job_of("scrub", state="failure", attempts=1)
        for call in (AddJob(job), CLAIM, FinishJob(job, "failure", None, "", KEEP), CancelJob(job.id)):
            self.assertEqual([], events_for(call, job, ASKING), call.name)


class TaskEventsCase(ImportCase):
    disabled = ""

    def settings(self):
        return {
            "DEFAULT": {"disabled_notifications": self.disabled},
            "notifications": {"delivery": self.delivery},
            "task": {"work_dir": self.folder / "work", "task_time_to_live": 5},
        }

    def begun(self, *stores, **values):
        """Return an image that is staged and whose import waits for a worker."""
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id, *stores, **values)
        return image_id

    def task_events(self):
        """Return the events of tasks, which are all of one task and name nobody but its owner."""
        events = [event for event in self.application.events() if event.type.startswith("task.")]
        self.assertEqual(1, len({event.payload["id"] for event in events}))
        self.assertEqual({"admin"}, {event.caller["user_id"] for event in events})
        return events

    def another(self, job, **values):
        """Return a new job that is like ``job``."""
        return replace(job, id=str(uuid4()), **values)

    def types(self):
        """Return the types of these events."""
        return [event.type for event in self.task_events()]


class TaskEventsContract:
    def test_a_task_that_succeeds(self):
        image_id = self.begun("disk", "fast")
        self.run_to_the_end()
        job = self.task(image_id)
        events = self.task_events()
        self.assertEqual([*BEGINNING, "task.success"], [event.type for event in events])
        states = ["pending", "processing", "processing", "success"]
        self.assertEqual(states, [event.payload["status"] for event in events])
        self.assertEqual({"api_image_import"}, {event.payload["type"] for event in events})
        expected = (job.id, f"{job.expires_at.isoformat(timespec='seconds')}Z", None, "p0")
        payload = events[-1].payload
        self.assertEqual(expected, tuple(payload[name] for name in ("id", "expires_at", "result", "owner")))

    def test_the_events_of_the_image_come_once(self):
        self.begun("disk", "fast")
        self.run_to_the_end()
        count = Counter(event.type for event in self.application.events())
        self.assertEqual((1, 2, 1), (count["image.prepare"], count["image.upload"], count["image.activate"]))

    def test_a_task_that_fails(self):
        image_id = self.begun(expected_hashes={"md5": "ab" * 16})
        self.run_to_the_end()
        self.assertEqual("failure", self.task(image_id).state)
        self.assertEqual([*BEGINNING, "task.failure"], self.types())

    def test_a_task_that_is_tried_again_begins_once(self):
        mend = self.break_store("fast", AWAY)
        image_id = self.begun("fast")
        self.worker().run_one()
        mend()
        self.run_to_the_end()
        self.assertEqual(("success", 2), ((task := self.task(image_id)).state, task.attempts))
        self.assertEqual([*BEGINNING, "task.success"], self.types())

    def test_a_task_that_was_cancelled_before_it_began(self):
        image_id = self.begun()
        cancelled = self.services.data.run(CancelJob(self.task(image_id).id, KEEP), now := self.clock())
        self.assertEqual(now + KEEP, cancelled.expires_at)
        self.run_to_the_end()
        self.assertEqual(["task.create", "task.failure"], self.types())

    def test_a_task_that_is_cancelled_while_it_runs(self):
        image_id = self.begun()
        interrupted = Interrupted(self.job_types["api_image_import"], checks=2)
        worker = self.worker(api_image_import=interrupted)

        def cancel():
            self.data.run(CancelJob(self.task(image_id).id))
            worker.leases.renew()

        interrupted.stop = cancel
        worker.run_one()
        self.assertEqual([*BEGINNING, "task.failure"], self.types())

    def test_a_task_whose_lock_is_broken_by_the_next_import(self):
        image_id = self.create()
        self.upload(image_id)
        dead = self.request(image_id, "fast", name="copy-image")
        with self.application.backend.engine.begin() as connection:
            long_ago = func.datetime(jobs.c.updated_at, "-121 minutes")
            connection.execute(update(jobs).values(updated_at=long_ago))
        next_one = self.request(image_id, "fast", name="copy-image")
        failed = self.data.run(GetJob(dead.id))
        self.assertEqual(("failure", KEEP), (failed.state, failed.expires_at - failed.updated_at))
        events = [event for event in self.application.events() if event.type.startswith("task.")]
        expected = [("task.create", dead.id), ("task.failure", dead.id), ("task.create", next_one.id)]
        self.assertEqual(expected, [(event.type, event.payload["id"]) for event in events])

    def test_change_that_does_not_happen_has_no_event(self):
        image_id = self.begun()
        held = self.data.run(CLAIM)
        self.data.run(FinishJob(held, "success", None, "", KEEP))
        self.assertRaises(Gone, self.data.run, FinishJob(held, "success", None, "", KEEP))
        self.assertRaises(Conflict, self.data.run, CancelJob(held.id))
        self.assertIsNone(self.data.run(ClaimJob("worker", ("api_image_import",), LEASE)))
        self.assertEqual("success", self.task(image_id).state)
        self.assertEqual([*BEGINNING, "task.success"], self.types())


class TestDirect(TaskEventsContract, TaskEventsCase):
    delivery = "direct"


class TestOutbox(TaskEventsContract, TaskEventsCase):
    delivery = "outbox"


class TestDisabledEvents(TaskEventsCase):
    delivery = "outbox"
    disabled = "task.processing,task.create"

    def test_what_is_switched_off_is_not_published(self):
        self.begun()
        self.run_to_the_end()
        self.assertEqual(["task.run", "task.success"], self.types())


class TestDisabledGroup(TaskEventsCase):
    delivery = "direct"
    disabled = "task"

    def test_a_group_is_switched_off_by_its_name(self):
        self.begun()
        self.run_to_the_end()
        types = {event.type for event in self.application.events()}
        self.assertEqual((True, set()), ("image.activate" in types, {one for one in types if one[:4] == "task"}))


class TestOtherJobs(TaskEventsCase):
    delivery = "direct"

    def test_jobs_that_are_no_tasks_have_no_event(self):
        image_id = self.begun()
        job = self.data.run(AddJob(self.another(self.task(image_id), kind="scrub", image_id=None)))
        self.data.run(CancelJob(job.id))
        self.assertEqual(["task.create"], self.types())
