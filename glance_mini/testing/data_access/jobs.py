"""The contract for the life of a job, but for its being claimed."""

import itertools
from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.job import Job, JobQuery
from glance_mini.operations.jobs import (
    CancelJob,
    FinishJob,
    GetJob,
    MeasureQueue,
    PurgeJobs,
    ReleaseJob,
    RenewJobs,
    RetryJob,
    SaveCheckpoint,
)
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.data_access.job_samples import AFTER_LEASE, EXPIRY, LEASE_END, SOON, JobContractBase, job
from glance_mini.testing.data_access.samples import LATER, MUCH_LATER, NOW


class JobContract(JobContractBase):
    def test_queue_is_measured_by_what_runs_and_by_what_waits_though_it_is_due(self) -> None:
        empty = {"running": 0, "waiting": 0, "waiting_seconds": 0}
        self.assertEqual(empty, self.data.run(MeasureQueue(), NOW))
        self.add()
        self.claim("dead")
        self.add()
        self.add(due_at=MUCH_LATER)
        self.add(state="success")
        expected = {"running": 1, "waiting": 1, "waiting_seconds": 30}
        self.assertEqual(expected, self.data.run(MeasureQueue(), SOON))
        self.assertEqual(0, self.data.run(MeasureQueue(), AFTER_LEASE)["running"])

    def test_job_comes_back_as_it_was_added(self) -> None:
        for added in (
            job(),
            job(image_id="i", stores=("fast", "a_b"), node_url="http://h", priority=-3, result={"a": None}),
            job(checkpoint={"bytes": 2**40}, message="ü"),
            job(project_id=None, user_id=None, request_id=None, roles=(), token=None, lease_until=LATER, process="p"),
        ):
            self.insert_job(added)
            self.assertEqual(added, self.data.run(GetJob(added.id)))

    def test_job_that_is_not_there_is_not_found(self) -> None:
        self.assertRaises(errors.NotFound, self.data.run, GetJob("none"))
        self.assertRaises(errors.NotFound, self.data.run, CancelJob("none"), NOW)
        self.assertRaises(errors.NotFound, self.data.run, RetryJob("none"), NOW)

    def test_id_of_a_job_is_used_once(self) -> None:
        added = self.add()
        self.assertRaises(errors.Duplicate, self.insert_job, added)

    def test_checkpoint_is_kept_for_the_next_worker(self) -> None:
        self.add()
        held = self.claim("first")
        saved = self.data.run(SaveCheckpoint(held, {"done": ["fast"]}, "Copied 1 MiB"), SOON)
        expected = replace(held, checkpoint={"done": ["fast"]}, message="Copied 1 MiB", updated_at=SOON)
        self.assertEqual(expected, saved)
        self.assertEqual(saved, self.data.run(GetJob(held.id)))
        taken = self.claim("second", AFTER_LEASE)
        self.assertEqual({"done": ["fast"]}, taken.checkpoint)

    def test_job_that_was_lost_cannot_be_changed(self) -> None:
        self.add()
        lost = self.claim("first")
        self.claim("second", AFTER_LEASE)
        self.assert_is_lost(lost)

    def test_job_that_was_claimed_again_by_the_same_process_is_lost_to_its_first_thread(self) -> None:
        self.add()
        lost = self.claim("worker")
        self.claim("worker", AFTER_LEASE)
        self.assert_is_lost(lost)

    def assert_is_lost(self, lost: Job) -> None:
        """Fail unless ``lost`` can change nothing any more."""
        current = self.data.run(GetJob(lost.id))
        self.assertRaises(errors.Gone, self.data.run, SaveCheckpoint(lost, {"x": 1}, ""), SOON)
        self.assertRaises(errors.Gone, self.data.run, FinishJob(lost, "success", {}, "", EXPIRY - SOON), SOON)
        self.data.run(ReleaseJob(lost, timedelta(0), "again"), SOON)
        self.assertEqual(current, self.data.run(GetJob(lost.id)))

    def test_finished_job_keeps_its_result_and_no_token(self) -> None:
        added = self.add()
        finished = self.data.run(FinishJob(self.claim(), "success", {"image_id": "i"}, "done", EXPIRY - SOON), SOON)
        expected = replace(
            added,
            state="success",
            result={"image_id": "i"},
            message="done",
            updated_at=SOON,
            expires_at=EXPIRY,
            token=None,
            attempts=1,
        )
        self.assertEqual(expected, finished)
        self.assertEqual(expected, self.data.run(GetJob(added.id)))
        self.assertRaises(errors.Gone, self.data.run, FinishJob(finished, "failure", None, "", EXPIRY - SOON), SOON)
        self.assertIsNone(self.try_claim(now=LATER))

    def test_job_that_is_gone_cannot_be_finished(self) -> None:
        gone = job(process="worker")
        self.assertRaises(errors.Gone, self.data.run, FinishJob(gone, "success", {}, "", EXPIRY - NOW), NOW)

    def test_released_job_waits_until_it_is_due(self) -> None:
        self.add()
        self.data.run(ReleaseJob(self.claim(), LATER - SOON, "The source does not answer."), SOON)
        self.assertIsNone(self.try_claim(now=SOON))
        taken = self.claim("second", LATER)
        self.assertEqual(("The source does not answer.", 2), (taken.message, taken.attempts))

    def test_leases_are_renewed_for_their_holder_only(self) -> None:
        mine = [self.add().id for _ in range(2)]
        for _ in mine:
            self.claim("me")
        other = self.add().id
        self.claim("other")
        for asked, renewed in (({*mine, other, "none"}, {*mine}), (set(), set())):
            call = RenewJobs("me", frozenset(asked), MUCH_LATER - NOW)
            self.assertEqual(renewed, self.data.run(call, NOW))
        self.assertEqual(LEASE_END, self.data.run(GetJob(other)).lease_until)
        self.assertEqual(other, self.claim("me", AFTER_LEASE).id)
        self.assertIsNone(self.try_claim("third", AFTER_LEASE))

    def test_cancelled_job_keeps_its_lease_while_it_is_given_up_but_may_not_go_on(self) -> None:
        added = self.add()
        held = self.claim()
        cancelled = self.data.run(CancelJob(added.id), SOON)
        self.assertEqual(("processing", True), (cancelled.state, cancelled.is_cancelled))
        renew = RenewJobs("worker", frozenset({added.id}), MUCH_LATER - NOW)
        self.assertEqual(frozenset(), self.data.run(renew, NOW))
        self.assertRaises(errors.Gone, self.data.run, SaveCheckpoint(held, {}, ""), SOON)
        self.assertIsNone(self.try_claim("other", LATER))
        finish = FinishJob(held, "failure", None, "cancelled", EXPIRY - SOON)
        self.assertEqual("failure", self.data.run(finish, SOON).state)

    def test_job_that_never_began_fails_at_once_when_it_is_cancelled(self) -> None:
        added = self.add()
        cancelled = self.data.run(CancelJob(added.id), SOON)
        self.assertEqual(("failure", True, None), (cancelled.state, cancelled.is_cancelled, cancelled.token))
        self.assertEqual(SOON + timedelta(hours=48), cancelled.expires_at)
        self.assertEqual(cancelled, self.data.run(GetJob(added.id)))
        self.assertIsNone(self.try_claim(now=LATER))

    def test_job_that_ended_cannot_be_cancelled(self) -> None:
        added = self.add()
        self.data.run(FinishJob(self.claim(), "success", {}, "", EXPIRY - NOW), NOW)
        self.assertRaises(errors.Conflict, self.data.run, CancelJob(added.id), NOW)

    def test_failed_job_is_tried_again_from_its_beginning(self) -> None:
        added = self.add(token=None)
        held = self.data.run(SaveCheckpoint(self.claim(), {"x": 1}, ""), NOW)
        self.data.run(FinishJob(held, "failure", {"x": 1}, "no", EXPIRY - NOW), NOW)
        again = self.data.run(RetryJob(added.id), SOON)
        self.assertEqual(replace(added, due_at=SOON, updated_at=SOON), again)
        self.assertEqual(again, self.data.run(GetJob(added.id)))
        claimed = self.claim(now=SOON)
        self.assertEqual((added.id, 1), (claimed.id, claimed.attempts))

    def test_only_a_failed_job_is_tried_again(self) -> None:
        added = self.add()
        self.assertRaises(errors.Conflict, self.data.run, RetryJob(added.id), NOW)
        held = self.claim()
        self.assertRaises(errors.Conflict, self.data.run, RetryJob(added.id), NOW)
        self.data.run(FinishJob(held, "success", {}, "", EXPIRY - NOW), NOW)
        self.assertRaises(errors.Conflict, self.data.run, RetryJob(added.id), NOW)

    def test_expired_jobs_are_purged_in_portions(self) -> None:
        ended = [self.end() for _ in range(3)]
        kept = self.add()
        self.assertEqual(0, self.data.run(PurgeJobs(10), EXPIRY))
        self.assertEqual([2, 1, 0], [self.data.run(PurgeJobs(2), MUCH_LATER) for _ in range(3)])
        self.assertRaises(errors.NotFound, self.data.run, GetJob(ended[0].id))
        self.assertEqual(kept, self.data.run(GetJob(kept.id)))

    def end(self) -> Job:
        """Add a job that has failed and return it."""
        self.add()
        return self.data.run(FinishJob(self.claim(), "failure", None, "", EXPIRY - NOW), NOW)


class JobListContract(JobContractBase):
    def test_list_pages_through_jobs_of_equal_time(self) -> None:
        added = {self.add().id for _ in range(7)}
        for direction in ("asc", "desc"):
            self.assertEqual(added, set(self.walk(JobQuery(limit=3, sort_dir=direction))))

    def test_every_sort_key_pages_through_all(self) -> None:
        for number in range(6):
            self.add(updated_at=NOW + timedelta(seconds=number % 3), expires_at=EXPIRY if number % 2 else None)
        for key in ("id", "created_at", "updated_at", "state", "kind", "expires_at"):
            for direction in ("asc", "desc"):
                self.assertEqual(6, len(self.walk(JobQuery(limit=2, sort_key=key, sort_dir=direction))))

    def test_newest_come_first(self) -> None:
        old, new = self.add(), self.add(created_at=LATER)
        self.assertEqual([new, old], list(self.data.run(ListTasks(JobQuery())).jobs))

    def test_page_ends_before_the_job_with_which_it_would_have_too_many_bytes(self) -> None:
        added = [
            self.add(created_at=NOW + timedelta(seconds=second), input={"x": text})
            for second, text in enumerate(("", "", "ä" * 5000, "", "x" * 5000, ""))
        ]
        for wanted, direction in ((added, "asc"), (added[::-1], "desc")):
            query, pages = JobQuery(sort_dir=direction, limit=4, max_bytes=10_000), list[tuple[Job, ...]]()
            while query.marker or not pages:
                page = self.data.run(ListTasks(query))
                pages.append(page.jobs)
                query = replace(query, marker=page.next_marker)
            self.assertEqual(wanted, list(itertools.chain(*pages)))
            self.assertEqual({"asc": [2, 1, 3], "desc": [3, 1, 2]}[direction], list(map(len, pages)))

    def test_filters_hold_together(self) -> None:
        wanted = self.add(image_id="i", project_id="p")
        self.add(image_id="i", project_id="q")
        self.add(image_id="j", project_id="p")
        self.add(image_id="i", project_id="p", state="success")
        self.add(image_id="i", project_id="p", kind="hash")
        query = JobQuery(image_id="i", project_id="p", state="pending")
        self.assertEqual([wanted], list(self.data.run(ListTasks(query)).jobs))
        self.assertEqual(2, len(self.data.run(ListTasks(replace(query, kinds=()))).jobs))

    def test_what_makes_no_sense_is_invalid(self) -> None:
        self.assertRaises(errors.Invalid, self.data.run, ListTasks(JobQuery(marker="none")))
        self.assertRaises(errors.Invalid, self.data.run, ListTasks(JobQuery(sort_key="token")))
        self.assertEqual([], list(self.data.run(ListTasks(JobQuery(limit=0))).jobs))

    def walk(self, query: JobQuery) -> list[str]:
        """Return the ids on all pages; fail where one comes twice."""
        found = []
        while page := self.data.run(ListTasks(query)).jobs:
            found += [one.id for one in page]
            query = replace(query, marker=page[-1].id)
        self.assertEqual(len(found), len(set(found)))
        return found
