"""What is told of the beginning and the end of tasks, by both ways to the broker (reference 21)."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from glance_mini.domain.clock import utcnow
from glance_mini.domain.quota import NO_LIMITS
from glance_mini_store import errors as store_errors
from tests.unit.jobs.support import ImportCase, Interrupted

AWAY = store_errors.RemoteServiceUnavailable(reason="it is being moved")
BEGINNING = ["task.create", "task.run", "task.processing"]


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

    def tasks_told(self):
        """Return the events of tasks, which are all of one task and told by nobody but its owner."""
        events = [event for event in self.application.events() if event.type.startswith("task.")]
        self.assertEqual(1, len({event.payload["id"] for event in events}))
        self.assertEqual({"admin"}, {event.caller["user_id"] for event in events})
        return events

    def another(self, job, **values):
        """Return a new job that is like ``job``."""
        return replace(job, id=str(uuid4()), **values)

    def types_told(self):
        return [event.type for event in self.tasks_told()]


class TaskEventsContract:
    def test_a_task_that_succeeds(self):
        image_id = self.begun("disk", "fast")
        self.run_to_the_end()
        job = self.task(image_id)
        events = self.tasks_told()
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
        self.assertEqual([*BEGINNING, "task.failure"], self.types_told())

    def test_a_task_that_is_tried_again_begins_once(self):
        mend = self.break_store("fast", AWAY)
        image_id = self.begun("fast")
        self.worker().run_one()
        mend()
        self.run_to_the_end()
        self.assertEqual(("success", 2), ((task := self.task(image_id)).state, task.attempts))
        self.assertEqual([*BEGINNING, "task.success"], self.types_told())

    def test_a_task_that_was_cancelled_before_it_began(self):
        image_id = self.begun()
        cancelled = self.services.jobs.cancel_job(self.task(image_id).id, now := utcnow())
        self.assertEqual(now + timedelta(hours=5), cancelled.expires_at)
        self.run_to_the_end()
        self.assertEqual(["task.create", "task.failure"], self.types_told())

    def test_a_task_that_is_cancelled_while_it_runs(self):
        image_id = self.begun()
        interrupted = Interrupted(self.job_types["api_image_import"], checks=2)
        worker = self.worker(api_image_import=interrupted)

        def cancel():
            self.services.jobs.cancel_job(self.task(image_id).id, self.clock())
            worker.leases.renew()

        interrupted.stop = cancel
        worker.run_one()
        self.assertEqual([*BEGINNING, "task.failure"], self.types_told())

    def test_a_task_whose_lock_is_broken_by_the_next_import(self):
        image_id = self.create()
        self.upload(image_id)
        dead = self.request(image_id, "fast", name="copy-image")
        late = utcnow() + timedelta(minutes=121)
        jobs = self.services.jobs
        next_one = self.another(dead)
        properties = {"os_glance_import_task": next_one.id}
        jobs.begin_import(next_one, "active", "active", properties, late, NO_LIMITS)
        failed = jobs.get_job(dead.id)
        self.assertEqual(("failure", late + timedelta(hours=5)), (failed.state, failed.expires_at))
        self.assertEqual(["task.create", "task.failure"], self.types_told())


class TestDirect(TaskEventsContract, TaskEventsCase):
    delivery = "direct"


class TestOutbox(TaskEventsContract, TaskEventsCase):
    delivery = "outbox"


class TestDisabledEvents(TaskEventsCase):
    delivery = "outbox"
    disabled = "task.processing,task.create"

    def test_what_is_switched_off_is_not_told(self):
        self.begun()
        self.run_to_the_end()
        self.assertEqual(["task.run", "task.success"], self.types_told())


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

    def test_jobs_that_are_no_tasks_are_not_told_of(self):
        image_id = self.begun()
        job = self.services.jobs.add_job(self.another(self.task(image_id), kind="scrub", image_id=None))
        self.services.jobs.cancel_job(job.id, utcnow())
        self.assertEqual(["task.create"], self.types_told())
