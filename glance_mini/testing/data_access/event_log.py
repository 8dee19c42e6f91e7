"""The contract for the log of events: there with their change or not at all, and with who may know of them."""

from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.event_log import NOBODY, Audience, LoggedEvent
from glance_mini.domain.image import Image
from glance_mini.operations.event_log import ReadEvents, ReadLastEvents, RemoveEvents
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.jobs import AddJob, CancelJob, FinishJob, SaveCheckpoint
from glance_mini.operations.members import AddMember, DeleteMember, UpdateMember
from glance_mini.operations.records import MarkDeleted, MoveToTrash
from glance_mini.testing.data_access.job_samples import EXPIRY, SOON, JobContractBase, job
from glance_mini.testing.data_access.samples import LATER, NOW, sample, stored

OWNER = Audience(projects=("mine",))
EVERYONE = Audience(everyone=True)
A_MOMENT = timedelta(microseconds=1)


class EventLogContract(JobContractBase):
    def test_new_image_is_for_those_who_may_see_it(self) -> None:
        for values, audience in (
            ({"visibility": "private"}, OWNER),
            ({"visibility": "shared"}, OWNER),
            ({"visibility": "public"}, EVERYONE),
            ({"visibility": "community"}, EVERYONE),
            ({"visibility": "private", "owner": None}, EVERYONE),
        ):
            image = self.insert(sample(name="o'ü%s\\;", properties={"secret": "s"}, **values))
            (event,) = self.last_events(1)
            self.assertEqual(("image.create", audience, NOBODY), (event.type, event.after, event.before))
            self.assertEqual(
                {
                    "id": image.id,
                    "name": "o'ü%s\\;",
                    "status": "queued",
                    "visibility": image.visibility,
                    "owner": image.owner,
                    "size": None,
                    "disk_format": "raw",
                    "os_hidden": False,
                    "updated_at": "2026-05-04T03:02:01Z",
                },
                event.data,
            )

    def test_change_tells_those_who_may_see_the_image_no_more(self) -> None:
        image = self.create(visibility="public")
        hidden = self.set_visibility(image, "private")
        shared = self.set_visibility(hidden, "shared")
        self.set_visibility(shared, "public")
        events = self.last_events(3)
        self.assertEqual([(OWNER, EVERYONE), (OWNER, OWNER), (EVERYONE, OWNER)], [(e.after, e.before) for e in events])
        self.assertEqual({"image.update"}, {event.type for event in events})

    def test_change_that_leaves_the_audience_says_so(self) -> None:
        image = self.create()
        self.change(image, PropertyChange("replace", "name", "new"))
        (event,) = self.last_events(1)
        self.assertEqual((OWNER, NOBODY, "new"), (event.after, event.before, event.data["name"]))

    def test_members_are_those_of_the_time_of_the_reading(self) -> None:
        image = self.create()
        self.assertEqual(OWNER, self.last_events(1)[0].after)
        self.data.run(AddMember(image.id, member_id="a"), LATER)
        created, added = self.last_events(2)
        both = Audience(projects=("mine", "a"))
        self.assertEqual([both, both], [created.after, added.after])
        self.assertEqual("image.member.create", added.type)
        self.assertEqual({"image_id": image.id, "member_id": "a", "status": "pending"}, added.data)

    def test_member_learns_of_its_status_and_of_its_end(self) -> None:
        image = self.create()
        self.data.run(AddMember(image.id, member_id="a"), LATER)
        self.data.run(UpdateMember(image.id, member_id="a", status="accepted"), LATER)
        self.data.run(DeleteMember(image.id, member_id="a"), LATER)
        updated, deleted = self.last_events(2)
        both = Audience(projects=("mine", "a"))
        self.assertEqual(("image.member.update", both, NOBODY), (updated.type, updated.after, updated.before))
        self.assertEqual("accepted", updated.data["status"])
        self.assertEqual(("image.member.delete", OWNER, both), (deleted.type, deleted.after, deleted.before))

    def test_deleted_image_is_told_to_those_who_saw_it(self) -> None:
        image = self.insert(stored(visibility="public"))
        scrub = job(kind="scrub", image_id=image.id)
        self.data.run(MoveToTrash(image.id, timedelta(days=1), scrub), LATER)
        self.data.run(RestoreImage(image.id), LATER)
        self.data.run(MarkDeleted(image.id), LATER)
        kinds = ["image.create", "image.delete", "image.update", "image.delete"]
        events = self.last_events(10)
        self.assertEqual(kinds, [event.type for event in events])
        self.assertEqual([(NOBODY, EVERYONE)] * 2, [(events[n].after, events[n].before) for n in (1, 3)])
        self.assertEqual({"id": image.id}, events[3].data)
        self.assertEqual((EVERYONE, NOBODY), (events[2].after, events[2].before))

    def test_task_tells_its_project_of_each_step(self) -> None:
        self.add(image_id=None)
        held = self.claim()
        held = self.data.run(SaveCheckpoint(held, {}, "Copied 40 %"), SOON)
        # A checkpoint that says nothing new is no news.
        self.data.run(SaveCheckpoint(held, {"n": 1}, "Copied 40 %"), SOON)
        self.data.run(FinishJob(held, "success", {}, "Done", timedelta(hours=1)), SOON)
        events = self.last_events(10)
        kinds = ["task.create", "task.processing", "task.progress", "task.success"]
        self.assertEqual(kinds, [event.type for event in events])
        self.assertEqual({OWNER}, {event.after for event in events})
        self.assertEqual(["", "", "Copied 40 %", "Done"], [event.data["message"] for event in events])
        self.assertEqual({held.id}, {event.data["id"] for event in events})
        self.assertNotIn("secret", str(events))

    def test_work_that_is_no_task_is_not_told(self) -> None:
        self.data.run(AddJob(job(kind="hash"), timedelta(0)), NOW)
        self.claim()
        self.assertEqual((), self.last_events(10))

    def test_task_that_is_cancelled_before_it_begins_has_failed(self) -> None:
        added = self.add()
        self.data.run(CancelJob(added.id, EXPIRY - NOW), SOON)
        self.assertEqual(["task.create", "task.failure"], [event.type for event in self.last_events(10)])

    def test_change_that_fails_is_not_told(self) -> None:
        image = self.create(protected=True)
        self.assertRaises(errors.Forbidden, self.data.run, MarkDeleted(image.id), LATER)
        self.assertRaises(errors.Duplicate, self.insert, image)
        self.assertEqual(1, len(self.last_events(10)))

    def test_changes_at_once_are_all_told_once(self) -> None:
        images = self.all_at_once(lambda number: self.create(name=str(number)), range(16))
        events = self.last_events(100)
        self.assertEqual({image.id for image in images}, {str(event.data["id"]) for event in events})
        ids = [self.number(event) for event in events]
        self.assertEqual(sorted(set(ids)), ids)

    def test_events_are_read_behind_an_id_and_among_some_ids(self) -> None:
        names = "abcdef"
        for name in names:
            self.create(name=name)
        ids = [self.number(event) for event in self.last_events(6)]
        self.assertEqual("ef", self.names(ReadEvents(ids[3], (), 10)))
        self.assertEqual("bef", self.names(ReadEvents(ids[3], (ids[1], ids[5] + 1), 10)))
        self.assertEqual("be", self.names(ReadEvents(ids[3], (ids[1],), 2)))
        self.assertEqual("ef", self.names(ReadLastEvents(2)))

    def test_old_events_are_removed_but_not_the_last(self) -> None:
        for seconds, name in enumerate("abcd"):
            self.create(name=name, created_at=NOW + timedelta(seconds=seconds))
        age = timedelta(seconds=10)
        at = NOW + age
        self.assertEqual(0, self.data.run(RemoveEvents(age, 10), at))
        self.assertEqual(1, self.data.run(RemoveEvents(age, 10), at + A_MOMENT))
        self.assertEqual("bcd", self.names(ReadLastEvents(10)))
        self.assertEqual(1, self.data.run(RemoveEvents(age, 1), LATER))
        self.assertEqual(1, self.data.run(RemoveEvents(age, 10), LATER))
        self.assertEqual("d", self.names(ReadLastEvents(10)))
        self.assertEqual(0, self.data.run(RemoveEvents(age, 10), LATER))

    def last_events(self, count: int) -> tuple[LoggedEvent, ...]:
        """Return the last events in their order."""
        return self.data.run(ReadLastEvents(count))

    def names(self, call: ReadEvents | ReadLastEvents) -> str:
        """Return the names of the images in the events that a call returns."""
        return "".join(str(event.data["name"]) for event in self.data.run(call))

    def number(self, event: LoggedEvent) -> int:
        """Return the id of an event; the test fails if it has none."""
        assert event.id is not None
        return event.id

    def set_visibility(self, image: Image, visibility: str) -> Image:
        """Change the visibility of an image and return the image."""
        return self.change(image, PropertyChange("replace", "visibility", visibility))
