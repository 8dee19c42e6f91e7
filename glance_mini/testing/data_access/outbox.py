"""The contract for stored events: there with their change or not at all, given out once and in order."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from glance_mini.domain import errors
from glance_mini.domain.cause import Cause
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.event import Event
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.operations.base import DataCall
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.jobs import AddJob, CancelJob, ClaimJob, FinishJob, GetJob
from glance_mini.operations.outbox import AddEvents, CountEvents, FinishEvents, ReleaseEvents, TakeEvents
from glance_mini.operations.records import CountUsage
from glance_mini.testing.data_access.job_samples import (
    AFTER_LEASE,
    EXPIRY,
    KINDS,
    LEASE_END,
    SOON,
    JobContractBase,
    job,
)
from glance_mini.testing.data_access.samples import LATER, LEASE, NOW, creation, sample

CAUSE = Cause("update_image", "me", "mine", ("member",), "req-1")


def event(kind: str = "image.update", image_id: str | None = "i") -> Event:
    """Return an event that is not stored yet."""
    return Event(kind, {"name": "ü", "size": 2**40}, "warn", {"roles": ["member"]}, image_id)


R = TypeVar("R")


def rules(call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
    """Return an event of each image or job that a call returns, with the cause of the call."""
    if isinstance(result, Image):
        payload = {"id": result.id, "status": result.status, "has": sorted(result.properties)}
        yield Event(call.name, payload, caller=cause.caller() if cause else {}, image_id=result.id)
    elif isinstance(result, Job):
        yield Event(call.name, {"id": result.id, "state": result.state}, image_id=result.image_id)


class OutboxContract(JobContractBase):
    def setUp(self) -> None:
        """Open the backend a second time, with rules."""
        super().setUp()
        self.recording = self.open_data_access(rules)
        self.addCleanup(self.recording.close)

    def test_event_comes_back_as_it_was_stored(self) -> None:
        self.data.run(AddEvents((event(), event("image.send", image_id=None))), NOW)
        first, second = self.take_events()
        self.assertEqual([event(), event("image.send", image_id=None)], [first, second])
        self.assertEqual((NOW, NOW), (first.created_at, second.created_at))
        self.assertEqual(2, self.data.run(CountEvents()))

    def test_event_is_stored_with_its_change_and_names_the_cause(self) -> None:
        image = self.recording.run(creation(sample()), NOW)
        changes = (PropertyChange("add", "a", "b"),)
        self.recording.run(UpdateImage(image.id, changes=changes), LATER, CAUSE)
        first, second = self.take_events()
        self.assertEqual(({"id": image.id, "status": "queued", "has": []}, {}), (first.payload, first.caller))
        self.assertEqual((["a"], CAUSE.caller()), (second.payload["has"], second.caller))

    def test_change_that_fails_stores_no_event(self) -> None:
        image = self.recording.run(creation(sample()), NOW)
        self.assertRaises(errors.Duplicate, self.recording.run, creation(image), NOW)
        self.assertEqual(1, self.data.run(CountEvents()))

    def test_event_that_cannot_be_made_undoes_the_change(self) -> None:
        def fail(call: DataCall[R], result: R, cause: Cause | None) -> Iterable[Event]:
            raise ZeroDivisionError

        failing, image, waiting = self.open_data_access(fail), sample(), self.add()
        self.addCleanup(failing.close)
        for call in (creation(image), ClaimJob("worker", KINDS, LEASE)):
            self.assertRaises(ZeroDivisionError, failing.run, call, NOW)
        self.assertRaises(errors.NotFound, self.image, image)
        self.assertEqual(waiting, self.data.run(GetJob(waiting.id)))

    def test_call_without_a_rule_and_a_read_store_no_event(self) -> None:
        self.create()
        self.recording.run(CountUsage("mine"))
        self.recording.run(AddEvents(()))
        self.assertEqual(0, self.data.run(CountEvents()))

    def test_changes_of_jobs_cause_events_too(self) -> None:
        added = self.recording.run(AddJob(job()), NOW)
        held = self.recording.run(ClaimJob("worker", KINDS, LEASE), NOW)
        assert held is not None
        finish = FinishJob(held, "success", None, "", EXPIRY - SOON)
        self.recording.run(finish, SOON)
        self.assertRaises(errors.Gone, self.recording.run, finish, SOON)
        self.assertRaises(errors.Conflict, self.recording.run, CancelJob(added.id), SOON)
        self.assertIsNone(self.recording.run(ClaimJob("worker", KINDS, LEASE), SOON))
        expected = [("add_job", "pending"), ("claim_job", "processing"), ("finish_job", "success")]
        found = self.take_events()
        self.assertEqual(expected, [(one.type, one.payload["state"]) for one in found])
        self.assertEqual({added.id}, {one.payload["id"] for one in found})

    def test_events_are_given_to_one_dispatcher_until_its_claim_ends(self) -> None:
        self.data.run(AddEvents((event(), event(image_id=None))))
        taken = self.take_events("first")
        self.assertEqual([], self.take_events("second", LEASE_END))
        self.assertEqual(taken, self.take_events("second", AFTER_LEASE))

    def test_finished_events_do_not_come_again(self) -> None:
        self.data.run(AddEvents((event(), event(image_id="j"))))
        first, second = self.take_events()
        self.forget(first)
        self.assertEqual([second.id], [one.id for one in self.take_events(now=AFTER_LEASE)])
        self.forget(second, second)
        self.assertEqual(0, self.data.run(CountEvents()))

    def test_released_events_come_again_unless_another_one_has_them(self) -> None:
        self.data.run(AddEvents((event(),)))
        (taken,) = self.take_events("first")
        assert taken.id is not None
        self.data.run(ReleaseEvents("second", (taken.id,)))
        self.assertEqual([], self.take_events("second"))
        self.data.run(ReleaseEvents("first", (taken.id,)))
        self.assertEqual([taken], self.take_events("second"))

    def test_later_events_of_an_image_wait_for_the_earlier_ones(self) -> None:
        events = (event("1"), event("2"), event("3", image_id="j"), event("4", image_id=None))
        self.data.run(AddEvents(events))
        (first,) = self.take_events("first", rows=1)
        self.assertEqual(["3", "4"], [one.type for one in self.take_events("second")])
        self.forget(first)
        self.assertEqual(["2"], [one.type for one in self.take_events("second")])

    def test_ids_of_published_events_are_not_given_again(self) -> None:
        self.data.run(AddEvents((event(),)))
        (first,) = self.take_events()
        self.forget(first)
        self.data.run(AddEvents((event(),)))
        self.assertGreater(self.take_events()[0].id, first.id)

    def test_events_of_changes_at_once_are_in_the_order_of_the_changes(self) -> None:
        image = self.create()

        def change(name: str) -> Image:
            changes = (PropertyChange("add", name, "x"),)
            return self.recording.run(UpdateImage(image.id, changes=changes), LATER)

        self.at_once(change, "abcdefgh")
        self.assertEqual([1, 2, 3, 4, 5, 6, 7, 8], [len(one.payload["has"]) for one in self.take_events()])  # type: ignore[arg-type]

    def test_events_taken_at_once_go_to_one_dispatcher_each(self) -> None:
        self.data.run(AddEvents(tuple(event(image_id=str(number % 5)) for number in range(60))))
        taken = self.all_at_once(lambda name: self.take_events(name, rows=20), "abcdef")
        ids = [one.id for some in taken for one in some]
        self.assertEqual(len(ids), len(set(ids)))

    def take_events(self, process: str = "dispatcher", now: datetime = NOW, rows: int = 100) -> list[Event]:
        """Return what that dispatcher is given for a minute."""
        return list(self.data.run(TakeEvents(process, LEASE, rows), now))

    def forget(self, *events: Event) -> None:
        """Forget events."""
        self.data.run(FinishEvents(tuple(one.id for one in events if one.id is not None)))
