"""The contract for the verification of stored data: runs, copies, findings and repairs."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from glance_mini.domain import errors
from glance_mini.domain.image import Location
from glance_mini.domain.job import SCRUB, VERIFY, Job
from glance_mini.domain.quota import IMAGE_SIZE_TOTAL
from glance_mini.domain.verification import DAMAGED, MISSING, REPAIRED, UNKNOWN, Expected, Finding, Verification
from glance_mini.operations.jobs import CancelJob
from glance_mini.operations.records import ListRemovals, MarkDeleted, MoveToTrash, PurgeImages
from glance_mini.operations.verification import (
    BeginVerification,
    CountCopies,
    EndVerification,
    FindData,
    ListCopies,
    ListFindings,
    ListVerifications,
    RecordFindings,
    ReplaceLocation,
)
from glance_mini.testing.data_access.job_samples import JobContractBase
from glance_mini.testing.data_access.samples import LATER, MUCH_LATER, NOW, location, stored

DAY = timedelta(days=1)
HOLE = Finding("file", "image/1", MISSING, reason="There is no data.", image_id="image", size=7)
STRAY = Finding("file", "stray", UNKNOWN, name="stray")
ELSEWHERE = Finding("tape", "image/2", DAMAGED, image_id="image")


class VerificationContract(JobContractBase):
    def test_run_begins_with_its_job_and_ends_with_its_counts(self) -> None:
        begun = self.begin_run()
        self.assertEqual((Verification(begun.id, NOW),), self.data.run(ListVerifications(5)))
        held = self.claim(kinds=(VERIFY,))
        self.assertEqual((begun.id, {"repair": True}), (held.id, held.input))
        self.data.run(EndVerification(held, {"copies": 3}), LATER)
        self.assertEqual((Verification(begun.id, NOW, LATER, {"copies": 3}),), self.data.run(ListVerifications(5)))

    def test_one_run_goes_on_at_a_time_and_a_schedule_waits_for_its_interval(self) -> None:
        self.begin_run()
        self.assertRaises(errors.Conflict, self.begin_run)
        self.assertIsNone(self.data.run(BeginVerification(verify_job(), DAY), MUCH_LATER))
        held = self.claim(kinds=(VERIFY,))
        self.data.run(EndVerification(held, {}), LATER)
        self.assertIsNone(self.data.run(BeginVerification(verify_job(), DAY), NOW + DAY - timedelta(seconds=1)))
        self.assertIsNotNone(self.data.run(BeginVerification(verify_job(), DAY), NOW + DAY))

    def test_runs_begun_at_once_are_one(self) -> None:
        results = self.at_once(
            lambda each: self.data.run(BeginVerification(each, DAY), NOW), [verify_job() for _ in range(6)]
        )
        self.assertEqual(1, sum(isinstance(each, Job) for each in results))

    def test_run_whose_job_has_ended_by_itself_forbids_no_other(self) -> None:
        begun = self.begin_run()
        self.data.run(CancelJob(begun.id), NOW)
        self.assertEqual(2, len({begun.id, self.begin_run().id}))

    def test_only_the_holder_ends_a_run(self) -> None:
        begun = self.begin_run()
        self.assertRaises(errors.Gone, self.data.run, EndVerification(begun, {}), NOW)

    def test_old_runs_are_forgotten(self) -> None:
        for number in range(103):
            begun = self.begin_run(NOW + number * DAY)
            self.data.run(CancelJob(begun.id), NOW + number * DAY)
        self.assertEqual(100, len(self.data.run(ListVerifications(1000))))

    def test_copies_are_listed_page_by_page_with_what_is_known_of_their_images(self) -> None:
        known = {"checksum": "c", "os_hash_algo": "sha256", "os_hash_value": "d"}
        first = self.insert(stored(locations=(location("a"), location("b")), **known))
        trash = self.insert(stored())
        self.data.run(MoveToTrash(trash.id, DAY, Job(str(uuid4()), SCRUB, image_id=trash.id)), NOW)
        gone = self.insert(stored())
        self.data.run(MarkDeleted(gone.id), NOW)
        self.create()
        page = self.data.run(ListCopies(0, 2))
        self.assertEqual(first.locations, tuple(copy.location for copy in page))
        self.assertEqual(Expected(100, {"md5": "c", "sha256": "d"}), page[0].expected)
        rest = self.data.run(ListCopies(page[-1].location.id or 0, 2))
        self.assertEqual([trash.id], [copy.image_id for copy in rest])
        self.assertEqual((), self.data.run(ListCopies(rest[-1].location.id or 0, 2)))
        self.assertEqual(3, self.data.run(CountCopies()))

    def test_data_is_known_while_it_is_stored_sent_or_deleted(self) -> None:
        image, sent, deleted, purged = self.insert(stored()), self.create(), self.insert(stored()), self.create()
        begun = self.begin(sent, name="draft")
        self.data.run(MarkDeleted(deleted.id), NOW)
        self.data.run(MarkDeleted(purged.id), NOW)
        self.data.run(PurgeImages(DAY, 10), MUCH_LATER)
        never = str(uuid4())
        ids = frozenset({image.id, sent.id, deleted.id, purged.id, never})
        url = location().url
        found = self.data.run(FindData(ids, frozenset({url, "file:///else"})))
        self.assertEqual({url}, found[image.id])
        self.assertEqual({begun.name}, found[sent.id])
        self.assertEqual({url}, found[deleted.id])
        self.assertEqual(frozenset(), found[purged.id])
        self.assertEqual({url}, found[""])
        self.assertNotIn(never, found)

    def test_finding_takes_the_place_of_an_older_one_of_the_same_thing(self) -> None:
        self.assertEqual(3, self.data.run(RecordFindings((HOLE, STRAY, ELSEWHERE), 10), NOW))
        repaired = replace(HOLE, state=REPAIRED)
        self.assertEqual(1, self.data.run(RecordFindings((repaired,), 10), LATER))
        found = self.data.run(ListFindings(0, 10))
        expected = [replace(STRAY, found_at=NOW), replace(ELSEWHERE, found_at=NOW), replace(repaired, found_at=LATER)]
        self.assertEqual(expected, list(found))
        self.assertEqual(found[1:], self.data.run(ListFindings(found[0].id or 0, 10)))

    def test_findings_beyond_the_limit_are_left_out_but_known_ones_still_change(self) -> None:
        self.assertEqual(1, self.data.run(RecordFindings((HOLE, STRAY), 1), NOW))
        self.assertEqual(0, self.data.run(RecordFindings((ELSEWHERE,), 1), NOW))
        self.assertEqual(1, self.data.run(RecordFindings((replace(HOLE, state=REPAIRED),), 1), NOW))
        self.assertEqual([REPAIRED], [each.state for each in self.data.run(ListFindings(0, 10))])

    def test_end_of_a_run_forgets_what_it_has_not_found_again_in_its_stores(self) -> None:
        self.data.run(RecordFindings((HOLE, STRAY, ELSEWHERE), 10), NOW - DAY)
        self.begin_run()
        held = self.claim(kinds=(VERIFY,))
        self.data.run(RecordFindings((STRAY,), 10), LATER)
        self.data.run(EndVerification(held, {}, ("file",)), LATER)
        self.assertEqual({"stray", "image/2"}, {each.subject for each in self.data.run(ListFindings(0, 10))})

    def test_repaired_copy_takes_the_place_of_the_broken_one(self) -> None:
        image = self.insert(stored(locations=(location("a"), location("b"))))
        self.begin_run()
        held = self.claim(kinds=(VERIFY,))
        used = self.used(IMAGE_SIZE_TOTAL)
        new = Location("file:///images/new", {"store": "file"})
        changed = self.data.run(ReplaceLocation(held, image.id, image.locations[0], new), LATER)
        self.assertEqual([new.url, image.locations[1].url], [each.url for each in changed.locations])
        self.assertEqual(changed, self.image(image))
        self.assertEqual([image.locations[0].url], [each.url for each in self.data.run(ListRemovals(image.id))])
        self.assertEqual(used, self.used(IMAGE_SIZE_TOTAL))

    def test_copy_that_is_gone_is_not_replaced(self) -> None:
        image, deleted = self.insert(stored()), self.insert(stored())
        self.data.run(MarkDeleted(deleted.id), NOW)
        self.begin_run()
        held = self.claim(kinds=(VERIFY,))
        new = Location("file:///images/new", {"store": "file"})
        for image_id, old in ((image.id, replace(image.locations[0], id=10**6)), (deleted.id, deleted.locations[0])):
            self.assertRaises(errors.Gone, self.data.run, ReplaceLocation(held, image_id, old, new), LATER)
        self.data.run(CancelJob(held.id), LATER)
        call = ReplaceLocation(held, image.id, image.locations[0], new)
        self.assertRaises(errors.Gone, self.data.run, call, LATER)
        self.assertEqual(image.locations, self.image(image).locations)

    def begin_run(self, now: datetime = NOW) -> Job:
        """Begin a run that repairs, and return its job."""
        begun = self.data.run(BeginVerification(verify_job()), now)
        assert begun is not None
        return begun


def verify_job() -> Job:
    """Return the job of a run that repairs."""
    return Job(str(uuid4()), VERIFY, input={"repair": True})
