"""The contract for claims: who gets which job, and that nobody else does."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from glance_mini.domain.job import JobLimits
from glance_mini.operations.jobs import CancelJob, ClaimJob, FinishJob, GetJob, ReleaseJob
from glance_mini.testing.data_access.job_samples import (
    AFTER_LEASE,
    EXPIRY,
    KINDS,
    LEASE_END,
    SOON,
    UNLIMITED,
    JobContractBase,
    job,
)
from glance_mini.testing.data_access.samples import LATER, LEASE, MUCH_LATER, NOW

CLAIMERS = 4
QUEUED = 1000


class ClaimContract(JobContractBase):
    def test_claimed_job_is_held_until_its_lease_ends(self) -> None:
        added = self.add()
        held = self.claim("first")
        expected = replace(added, state="processing", process="first", lease_until=LEASE_END, attempts=1)
        self.assertEqual(expected, held)
        self.assertEqual(expected, self.data.run(GetJob(added.id)))
        self.assertIsNone(self.try_claim("second", LEASE_END))

    def test_job_whose_lease_ended_is_taken_over(self) -> None:
        added = self.add()
        self.claim("first")
        taken = self.claim("second", AFTER_LEASE)
        self.assertEqual((added.id, "second", 2), (taken.id, taken.process, taken.attempts))

    def test_nothing_is_claimed_that_is_not_due_not_asked_for_or_ended(self) -> None:
        self.add(due_at=LATER)
        self.add(kind="other")
        self.add(state="success")
        self.add(state="failure")
        self.assertIsNone(self.try_claim())
        self.assertIsNone(self.try_claim(kinds=()))

    def test_higher_priority_comes_first_and_then_the_older_job(self) -> None:
        late, early = self.add(due_at=NOW), self.add(due_at=NOW - timedelta(hours=1))
        first, last = self.add(priority=5), self.add(priority=-5, due_at=NOW - timedelta(hours=2))
        self.assertEqual([one.id for one in (first, early, late, last)], self.claim_all())

    def test_projects_share_fairly(self) -> None:
        for number in range(6):
            self.add(project_id="big", due_at=NOW - timedelta(hours=2) + timedelta(seconds=number))
        for project in ("small", "tiny"):
            for _ in range(2):
                self.add(project_id=project)
        projects = [self.data.run(GetJob(found)).project_id for found in self.claim_all()]
        self.assertEqual({"big": 1, "small": 1, "tiny": 1}, Counter(projects[:3]))
        self.assertEqual({"big": 2, "small": 2, "tiny": 2}, Counter(projects[:6]))
        self.assertEqual(["big"] * 4, projects[6:])

    def test_priority_goes_before_the_fair_share(self) -> None:
        for _ in range(2):
            self.add(project_id="big", priority=1)
        self.add(project_id="small")
        projects = [self.data.run(GetJob(found)).project_id for found in self.claim_all()]
        self.assertEqual(["big", "big", "small"], projects)

    def test_share_counts_jobs_of_every_kind(self) -> None:
        self.add(project_id="busy", kind="hash")
        self.claim(kinds=("hash",))
        self.add(project_id="busy", due_at=NOW - timedelta(hours=1))
        self.add(project_id="calm")
        self.assertEqual("calm", self.claim(kinds=("api_image_import",)).project_id)

    def test_share_counts_only_jobs_that_run(self) -> None:
        self.add(project_id="active before")
        self.data.run(FinishJob(self.claim(), "success", {}, "", EXPIRY - NOW), NOW)
        dead = self.add(project_id="active before", kind="hash")
        self.claim(now=NOW, kinds=("hash",))
        self.add(project_id="active before", due_at=NOW - timedelta(hours=1))
        self.add(project_id="calm")
        self.assertEqual("active before", self.claim(now=AFTER_LEASE, kinds=("api_image_import",)).project_id)
        self.assertEqual("pending", self.data.run(GetJob(dead.id)).state)

    def test_limit_of_a_project_passes_over_its_jobs(self) -> None:
        for _ in range(3):
            self.add(project_id="big", priority=9)
        small = self.add(project_id="small")
        limits = JobLimits(per_project=2)
        claimed = [self.claim(limits=limits) for _ in range(3)]
        self.assertIsNone(self.try_claim(limits=limits))
        self.assertEqual(["big", "big", "small"], [one.project_id for one in claimed])
        self.assertEqual(small.id, claimed[2].id)
        self.data.run(FinishJob(claimed[0], "success", {}, "", EXPIRY - NOW), NOW)
        self.assertEqual("big", self.claim(limits=limits).project_id)

    def test_only_jobs_of_the_claimed_kinds_count_for_their_project(self) -> None:
        for kind in ("hash", "hash", "api_image_import"):
            self.add(project_id="big", kind=kind)
        limits = JobLimits(per_project=1)
        self.assertEqual("hash", self.claim(limits=limits, kinds=("hash",)).kind)
        self.assertIsNone(self.try_claim(limits=limits, kinds=("hash",)))
        self.assertEqual("api_image_import", self.claim(limits=limits, kinds=("api_image_import",)).kind)

    def test_project_at_its_limit_is_passed_over_also_if_others_run_more_jobs(self) -> None:
        for project, kind in (("calm", "hash"), ("busy", "api_image_import"), ("busy", "api_image_import")):
            self.add(project_id=project, kind=kind)
            self.claim()
        self.add(project_id="busy", kind="hash")
        self.add(project_id="calm", kind="hash")
        claimed = self.claim(limits=JobLimits(per_project=1), kinds=("hash",))
        self.assertEqual("busy", claimed.project_id)

    def test_jobs_of_all_kinds_count_for_a_store(self) -> None:
        self.add(stores=("disk",), kind="hash")
        self.add(stores=("disk",))
        limits = JobLimits(per_store=1)
        self.assertEqual("hash", self.claim(limits=limits, kinds=("hash",)).kind)
        self.assertIsNone(self.try_claim(limits=limits, kinds=("api_image_import",)))

    def test_limit_of_a_store_passes_over_its_jobs(self) -> None:
        for stores in (("slow",), ("slow",), ("fast",), ()):
            self.add(stores=stores)
        limits = JobLimits(per_store=1)
        claimed = [self.claim(limits=limits) for _ in range(3)]
        self.assertIsNone(self.try_claim(limits=limits))
        self.assertEqual({("slow",), ("fast",), ()}, {one.stores for one in claimed})

    def test_job_to_several_stores_counts_for_each_of_them(self) -> None:
        both = self.add(stores=("fast", "cheap"), priority=2)
        self.add(stores=("cheap",), priority=1)
        other = self.add(stores=("cheap_2", "Fast"))
        limits = JobLimits(per_store=1)
        self.assertEqual([both.id, other.id], self.claim_all(limits))
        self.data.run(FinishJob(self.data.run(GetJob(both.id)), "success", {}, "", EXPIRY - NOW), NOW)
        self.assertEqual(("cheap",), self.claim(limits=limits).stores)

    def test_job_to_several_stores_waits_for_room_in_each_of_them(self) -> None:
        self.add(stores=("fast",), priority=2)
        self.add(stores=("cheap", "fast", "far"), priority=1)
        self.assertEqual(1, len(self.claim_all(JobLimits(per_store=1))))
        self.assertEqual(1, len(self.claim_all(JobLimits(per_store=2))))

    def test_job_that_is_bound_to_a_node_is_given_to_that_node_only(self) -> None:
        bound, free = self.add(node_url="http://node1", priority=1), self.add()
        self.assertEqual(free.id, self.claim(node_url="http://node2").id)
        for node_url in ("http://node2", None):
            self.assertIsNone(self.try_claim(node_url=node_url))
        taken = self.claim(node_url="http://node1")
        self.assertEqual((bound.id, "http://node1"), (taken.id, taken.node_url))

    def test_job_of_a_dead_worker_goes_back_to_its_node_only(self) -> None:
        bound = self.add(node_url="http://node1")
        self.claim(node_url="http://node1")
        self.assertIsNone(self.try_claim(now=AFTER_LEASE, node_url="http://node2"))
        self.assertEqual(bound.id, self.claim(now=AFTER_LEASE, node_url="http://node1").id)

    def test_cancelled_job_of_a_node_that_is_gone_is_given_to_any(self) -> None:
        bound = self.add(node_url="http://node1")
        self.claim(node_url="http://node1")
        self.data.run(CancelJob(bound.id), NOW)
        taken = self.claim(now=AFTER_LEASE, node_url="http://node2")
        self.assertEqual((bound.id, True), (taken.id, taken.is_cancelled))

    def test_jobs_of_no_project_are_not_limited(self) -> None:
        for _ in range(3):
            self.add(project_id=None)
        self.assertEqual(3, len(self.claim_all(JobLimits(per_project=1))))

    def test_cancelled_job_of_a_dead_worker_is_given_out_before_all_others(self) -> None:
        dead = self.add(priority=-100)
        self.claim("first")
        self.data.run(CancelJob(dead.id), NOW)
        self.add(priority=100)
        self.assertNotEqual(dead.id, self.claim("second").id)
        self.add(priority=100)
        taken = self.claim("second", AFTER_LEASE)
        self.assertEqual((dead.id, True), (taken.id, taken.is_cancelled))

    def test_job_that_waits_for_its_next_attempt_is_given_out_at_once_when_it_is_cancelled(self) -> None:
        added = self.add()
        self.data.run(ReleaseJob(self.claim(), MUCH_LATER - NOW, ""), NOW)
        self.assertEqual("pending", self.data.run(CancelJob(added.id), SOON).state)
        taken = self.claim(now=SOON)
        self.assertEqual((added.id, True), (taken.id, taken.is_cancelled))

    def test_jobs_claimed_at_once_are_given_to_one_caller_each_and_none_is_lost(self) -> None:
        queued = [job(project_id=f"p{number % 7}", stores=(f"s{number % 3}",)) for number in range(QUEUED)]
        for one in queued:
            self.insert_job(one)
        claimed = self.all_at_once(self.claim_all_as, [f"worker{number}" for number in range(CLAIMERS)])
        ids = [found for some in claimed for found in some]
        self.assertEqual((QUEUED, {one.id for one in queued}), (len(ids), set(ids)))

    def test_jobs_of_a_dead_worker_are_divided_among_the_others(self) -> None:
        dead = {self.add().id for _ in range(24)}
        self.claim_all_as("dead")
        claimed = self.all_at_once(lambda name: self.claim_all_as(name, AFTER_LEASE), ["a", "b", "c"])
        ids = [found for some in claimed for found in some]
        self.assertEqual((24, dead), (len(ids), set(ids)))

    def test_limits_hold_for_claims_at_once(self) -> None:
        for number in range(60):
            self.add(project_id=f"p{number % 3}", stores=(f"s{number % 2}", f"t{number % 4}"))
        limits = JobLimits(per_project=4, per_store=5)
        results = self.all_at_once(lambda name: self.try_claim(name, limits=limits), "abcdefghijklmnop")
        claimed = list(filter(None, results))
        self.assertEqual(10, len(claimed))
        self.assertLessEqual(max(Counter(one.project_id for one in claimed).values()), 4)
        self.assertEqual({"s0": 5, "s1": 5}, Counter(one.stores[0] for one in claimed))

    def claim_all(self, limits: JobLimits = UNLIMITED) -> list[str]:
        """Return the ids of all jobs in the order in which one worker gets them."""
        found = []
        while one := self.try_claim(limits=limits):
            found.append(one.id)
        return found

    def claim_all_as(self, process: str, now: datetime = NOW) -> list[str]:
        """Return the ids of all jobs that ``process`` gets."""
        found = []
        while one := self.data.run(ClaimJob(process, KINDS, LEASE, UNLIMITED), now):
            found.append(one.id)
        return found
