"""The contract for the life of a job, but for its being claimed."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.job import JobQuery
from tests.contract.db.job_samples import EXPIRY, LAPSED, LEASE, SOON, JobContractBase, job
from tests.contract.db.samples import LATER, MUCH_LATER, NOW


class JobContract(JobContractBase):
    def test_job_comes_back_as_it_was_added(self):
        for added in (
            job(),
            job(image_id="i", stores=("fast", "a_b"), host="http://h", priority=-3, result={"a": None}),
            job(checkpoint={"bytes": 2**40}, message="ü"),
            job(project_id=None, user_id=None, request_id=None, roles=(), token=None, lease_until=LATER, process="p"),
        ):
            self.jobs.add_job(added)
            self.assertEqual(added, self.jobs.get_job(added.id))

    def test_job_that_is_not_there_is_not_found(self):
        self.assertRaises(errors.NotFound, self.jobs.get_job, "none")
        self.assertRaises(errors.NotFound, self.jobs.cancel_job, "none", NOW)
        self.assertRaises(errors.NotFound, self.jobs.retry_job, "none", NOW)

    def test_id_of_a_job_is_used_once(self):
        added = self.add()
        self.assertRaises(errors.Duplicate, self.jobs.add_job, added)

    def test_checkpoint_is_kept_for_the_next_worker(self):
        self.add()
        held = self.claim("first")
        saved = self.jobs.save_checkpoint(held, {"done": ["fast"]}, "Copied 1 MiB", SOON)
        expected = replace(held, checkpoint={"done": ["fast"]}, message="Copied 1 MiB", updated_at=SOON)
        self.assertEqual(expected, saved)
        self.assertEqual(saved, self.jobs.get_job(held.id))
        taken = self.claim("second", LAPSED)
        self.assertEqual({"done": ["fast"]}, taken.checkpoint)

    def test_job_that_was_lost_cannot_be_changed(self):
        self.add()
        lost = self.claim("first")
        self.claim("second", LAPSED)
        self.assert_is_lost(lost)

    def test_job_that_was_claimed_again_by_the_same_process_is_lost_to_its_first_thread(self):
        self.add()
        lost = self.claim("worker")
        self.claim("worker", LAPSED)
        self.assert_is_lost(lost)

    def assert_is_lost(self, lost):
        current = self.jobs.get_job(lost.id)
        self.assertRaises(errors.Gone, self.jobs.save_checkpoint, lost, {"x": 1}, "", SOON)
        self.assertRaises(errors.Gone, self.jobs.finish_job, lost, "success", {}, "", SOON, EXPIRY)
        self.jobs.release_job(lost, SOON, "again", SOON)
        self.assertEqual(current, self.jobs.get_job(lost.id))

    def test_finished_job_keeps_its_result_and_no_token(self):
        added = self.add()
        finished = self.jobs.finish_job(self.claim(), "success", {"image_id": "i"}, "done", SOON, EXPIRY)
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
        self.assertEqual(expected, self.jobs.get_job(added.id))
        self.assertRaises(errors.Gone, self.jobs.finish_job, finished, "failure", None, "", SOON, EXPIRY)
        self.assertIsNone(self.claim(now=LATER))

    def test_job_that_is_gone_cannot_be_finished(self):
        self.assertRaises(errors.Gone, self.jobs.finish_job, job(process="worker"), "success", {}, "", NOW, EXPIRY)

    def test_released_job_waits_until_it_is_due(self):
        self.add()
        self.jobs.release_job(self.claim(), LATER, "The source does not answer.", SOON)
        waiting = self.claim(now=SOON)
        self.assertIsNone(waiting)
        taken = self.claim("second", LATER)
        self.assertEqual(("The source does not answer.", 2), (taken.message, taken.attempts))

    def test_leases_are_renewed_for_their_holder_only(self):
        mine = [self.add().id for _ in range(2)]
        for _ in mine:
            self.claim("me")
        other = self.add().id
        self.claim("other")
        self.assertEqual({*mine}, self.jobs.renew_jobs("me", [*mine, other, "none"], MUCH_LATER))
        self.assertEqual(frozenset(), self.jobs.renew_jobs("me", [], MUCH_LATER))
        self.assertEqual(LEASE, self.jobs.get_job(other).lease_until)
        self.assertEqual(other, self.claim("me", LAPSED).id)
        self.assertIsNone(self.claim("third", LAPSED))

    def test_cancelled_job_keeps_its_lease_while_it_is_given_up_but_may_not_go_on(self):
        added = self.add()
        held = self.claim()
        cancelled = self.jobs.cancel_job(added.id, SOON)
        self.assertEqual(("processing", True), (cancelled.state, cancelled.is_cancelled))
        self.assertEqual(frozenset(), self.jobs.renew_jobs("worker", [added.id], MUCH_LATER))
        self.assertRaises(errors.Gone, self.jobs.save_checkpoint, held, {}, "", SOON)
        self.assertIsNone(self.claim("other", LATER))
        self.assertEqual("failure", self.jobs.finish_job(held, "failure", None, "cancelled", SOON, EXPIRY).state)

    def test_job_that_never_began_fails_at_once_when_it_is_cancelled(self):
        added = self.add()
        cancelled = self.jobs.cancel_job(added.id, SOON)
        self.assertEqual(("failure", True, None), (cancelled.state, cancelled.is_cancelled, cancelled.token))
        self.assertEqual(SOON + timedelta(hours=48), cancelled.expires_at)
        self.assertEqual(cancelled, self.jobs.get_job(added.id))
        self.assertIsNone(self.claim(now=LATER))

    def test_job_that_ended_cannot_be_cancelled(self):
        added = self.add()
        self.jobs.finish_job(self.claim(), "success", {}, "", NOW, EXPIRY)
        self.assertRaises(errors.Conflict, self.jobs.cancel_job, added.id, NOW)

    def test_failed_job_is_tried_again_from_its_beginning(self):
        added = self.add(token=None)
        held = self.jobs.save_checkpoint(self.claim(), {"x": 1}, "", NOW)
        self.jobs.finish_job(held, "failure", {"x": 1}, "no", NOW, EXPIRY)
        again = self.jobs.retry_job(added.id, SOON)
        self.assertEqual(replace(added, due_at=SOON, updated_at=SOON), again)
        self.assertEqual(again, self.jobs.get_job(added.id))
        claimed = self.claim(now=SOON)
        self.assertEqual((added.id, 1), (claimed.id, claimed.attempts))

    def test_only_a_failed_job_is_tried_again(self):
        added = self.add()
        self.assertRaises(errors.Conflict, self.jobs.retry_job, added.id, NOW)
        held = self.claim()
        self.assertRaises(errors.Conflict, self.jobs.retry_job, added.id, NOW)
        self.jobs.finish_job(held, "success", {}, "", NOW, EXPIRY)
        self.assertRaises(errors.Conflict, self.jobs.retry_job, added.id, NOW)

    def test_expired_jobs_are_purged_in_portions(self):
        ended = [self.end() for _ in range(3)]
        kept = self.add()
        self.assertEqual(0, self.jobs.purge_jobs(EXPIRY, 10))
        self.assertEqual([2, 1, 0], [self.jobs.purge_jobs(MUCH_LATER, 2) for _ in range(3)])
        self.assertRaises(errors.NotFound, self.jobs.get_job, ended[0].id)
        self.assertEqual(kept, self.jobs.get_job(kept.id))

    def end(self):
        self.add()
        return self.jobs.finish_job(self.claim(), "failure", None, "", NOW, EXPIRY)


class JobListContract(JobContractBase):
    def test_list_pages_through_jobs_of_equal_time(self):
        added = {self.add().id for _ in range(7)}
        for direction in ("asc", "desc"):
            self.assertEqual(added, set(self.walk(JobQuery(limit=3, sort_dir=direction))))

    def test_every_sort_key_pages_through_all(self):
        for number in range(6):
            self.add(updated_at=NOW + timedelta(seconds=number % 3), expires_at=EXPIRY if number % 2 else None)
        for key in ("id", "created_at", "updated_at", "state", "kind", "expires_at"):
            for direction in ("asc", "desc"):
                self.assertEqual(6, len(self.walk(JobQuery(limit=2, sort_key=key, sort_dir=direction))))

    def test_newest_come_first(self):
        old, new = self.add(), self.add(created_at=LATER)
        self.assertEqual([new, old], list(self.jobs.list_jobs(JobQuery())))

    def test_filters_hold_together(self):
        wanted = self.add(image_id="i", project_id="p")
        self.add(image_id="i", project_id="q")
        self.add(image_id="j", project_id="p")
        self.add(image_id="i", project_id="p", state="success")
        self.add(image_id="i", project_id="p", kind="hash")
        query = JobQuery(image_id="i", project_id="p", state="pending")
        self.assertEqual([wanted], list(self.jobs.list_jobs(query)))
        self.assertEqual(2, len(self.jobs.list_jobs(replace(query, kinds=()))))

    def test_what_makes_no_sense_is_invalid(self):
        self.assertRaises(errors.Invalid, self.jobs.list_jobs, JobQuery(marker="none"))
        self.assertRaises(errors.Invalid, self.jobs.list_jobs, JobQuery(sort_key="token"))
        self.assertEqual([], list(self.jobs.list_jobs(JobQuery(limit=0))))

    def walk(self, query):
        """Return the ids on all pages; none comes twice."""
        found = []
        while page := self.jobs.list_jobs(query):
            found += [one.id for one in page]
            query = replace(query, marker=page[-1].id)
        self.assertEqual(len(found), len(set(found)))
        return found
