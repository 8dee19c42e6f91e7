"""The contract for whole images and other things that come from another image service."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image
from glance_mini.domain.job import JobQuery
from glance_mini.domain.member import Member
from glance_mini.domain.metadefs import (
    Association,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.domain.migration import BuriedId, ImageRecord, TakenOver
from glance_mini.domain.query import ImageQuery
from glance_mini.domain.quota import COUNTED, IMAGE_COUNT_TOTAL, IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL
from glance_mini.operations.images import CreateImage, ListImages, RestoreImage, UpdateImage
from glance_mini.operations.jobs import ClaimJob, GetJob
from glance_mini.operations.members import AddMember, ListMembers
from glance_mini.operations.metadefs import GetNamespace, ListResourceTypes, ModifyNamespace
from glance_mini.operations.migration import (
    BuryImages,
    ListBuried,
    ListRecords,
    TakeOverImages,
    TakeOverJobs,
    TakeOverNamespaces,
)
from glance_mini.operations.records import CountUsage, ListRemovals, LoadImage, MarkDeleted
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.data_access.job_samples import job
from glance_mini.testing.data_access.samples import LATER, LEASE, MUCH_LATER, NOW, ContractBase, location, stored

EARLIER = NOW - timedelta(days=1)
RENAMED = PropertyChange("replace", "name", "ours")
UNTOUCHED = Namespace("n", "N", "about", "public", True, "p", EARLIER, EARLIER)


class TakeOverContract(ContractBase):
    """What came from another service is as it was there, a second run changes only what differs, and it can leave."""

    def test_an_image_is_as_it_was_with_its_members_and_its_usage(self) -> None:
        image = self.old(tags=("a", "ü"), properties={"p": "v", "empty": "", "none": None}, protected=True)
        members = (self.member(image, "m1", status="accepted"), self.member(image, "m2"))
        self.assertEqual(TakenOver(added=1), self.take_over(ImageRecord(image, members)))
        self.assertEqual(image, self.found(image))
        self.assertEqual(members, self.data.run(ListMembers(image.id)))
        self.assertEqual({IMAGE_COUNT_TOTAL: 1, IMAGE_SIZE_TOTAL: 200}, self.all_used())
        listed = self.data.run(ListImages(ImageQuery(tags=("ü",), properties={"p": "v"}))).images
        self.assertEqual([image.id], [one.id for one in listed])

    def test_a_second_run_changes_nothing(self) -> None:
        records = tuple(ImageRecord(image, (self.member(image, "m"),)) for image in (self.old(), self.old()))
        self.take_over(*records)
        self.assertEqual(TakenOver(unchanged=2), self.take_over(*records))
        self.assertEqual({IMAGE_COUNT_TOTAL: 2, IMAGE_SIZE_TOTAL: 400}, self.all_used())

    def test_a_rehearsal_finds_the_same_and_writes_nothing(self) -> None:
        known, new = self.old(), self.old()
        self.take_over(ImageRecord(known))
        records = (ImageRecord(replace(known, name="other")), ImageRecord(new))
        rehearsed = self.data.run(TakeOverImages(records, is_rehearsal=True))
        self.assertEqual(TakenOver(added=1, changed=1), rehearsed)
        self.assertEqual(known, self.found(known))
        self.assertRaises(errors.NotFound, self.found, new)
        self.assertEqual({IMAGE_COUNT_TOTAL: 1, IMAGE_SIZE_TOTAL: 200}, self.all_used())
        self.assertEqual(rehearsed, self.take_over(*records))

    def test_a_changed_image_is_replaced_and_its_former_data_stays(self) -> None:
        image = self.old(tags=("a",), properties={"p": "v", "q": "w"})
        self.take_over(ImageRecord(image))
        changed = replace(
            image, tags=("b",), properties={"p": "x"}, locations=(location("c"),), size=10, owner="p2", updated_at=NOW
        )
        self.assertEqual(TakenOver(changed=1), self.take_over(ImageRecord(changed)))
        self.assertEqual(changed, self.found(image))
        self.assertEqual((), self.data.run(ListRemovals(image.id)))
        self.assertEqual({}, self.all_used())
        self.assertEqual({IMAGE_COUNT_TOTAL: 1, IMAGE_SIZE_TOTAL: 10}, self.all_used("p2"))

    def test_what_was_changed_here_later_is_kept(self) -> None:
        image, deleted = self.old(), self.old()
        self.take_over(ImageRecord(image), ImageRecord(deleted))
        self.data.run(UpdateImage(image.id, changes=(RENAMED,)), NOW)
        self.data.run(MarkDeleted(deleted.id), NOW)
        other = ImageRecord(replace(image, name="changed there", updated_at=NOW - timedelta(seconds=1)))
        result = self.take_over(other, ImageRecord(deleted))
        self.assertEqual(TakenOver(kept=tuple(sorted((image.id, deleted.id)))), replace(result, kept=_sorted(result)))
        self.assertEqual("ours", self.found(image).name)
        self.assertRaises(errors.NotFound, self.found, deleted)

    def test_of_two_states_of_a_membership_the_later_one_wins(self) -> None:
        image = self.old()
        self.take_over(ImageRecord(image, tuple(self.member(image, name) for name in ("ends", "changes", "stays"))))
        own = self.data.run(AddMember(image.id, None, "own"), NOW)
        members = (
            replace(self.member(image, "ends"), deleted_at=NOW),
            self.member(image, "changes", status="rejected", updated_at=NOW),
            self.member(image, "stays"),
            self.member(image, "new", created_at=NOW, updated_at=NOW),
            replace(self.member(image, "own"), deleted_at=EARLIER),
        )
        self.assertEqual(TakenOver(changed=1), self.take_over(ImageRecord(image, members)))
        found = {member.member_id: member for member in self.data.run(ListMembers(image.id))}
        self.assertEqual({one.member_id: one for one in (*members[1:4], own)}, found)

    def test_an_image_in_the_trash_can_be_restored_until_its_time_is_over(self) -> None:
        image = self.old(status="pending_delete", deleted_at=NOW, properties={"p": "v"})
        record = ImageRecord(image, scrub_at=LATER)
        self.assertEqual(TakenOver(added=1), self.take_over(record))
        self.assertEqual(TakenOver(unchanged=1), self.take_over(record))
        self.assertRaises(errors.NotFound, self.found, image)
        self.assertEqual({IMAGE_SIZE_DELETED: 200}, self.all_used())
        self.assertIsNone(self.data.run(ClaimJob("me", ("scrub",), LEASE), NOW))
        scrub = self.data.run(ClaimJob("me", ("scrub",), LEASE), LATER)
        self.assertEqual(image.id, scrub and scrub.image_id)
        restored = self.data.run(RestoreImage(image.id), LATER)
        self.assertEqual(("active", {"p": "v"}), (restored.status, restored.properties))
        self.assertEqual({IMAGE_COUNT_TOTAL: 1, IMAGE_SIZE_TOTAL: 200}, self.all_used())

    def test_an_id_that_was_deleted_elsewhere_is_never_given_again(self) -> None:
        image, kept = self.old(), self.old()
        self.take_over(ImageRecord(image), ImageRecord(kept))
        self.data.run(UpdateImage(kept.id, changes=(RENAMED,)), LATER)
        gone = BuriedId("11111111-1111-4111-8111-111111111111", EARLIER)
        buried = (gone, BuriedId(image.id, NOW), BuriedId(kept.id, NOW))
        rehearsed = self.data.run(BuryImages(buried, is_rehearsal=True))
        self.assertEqual(image, self.found(image))
        self.assertEqual(rehearsed, self.data.run(BuryImages(buried)))
        self.assertEqual(TakenOver(added=1, changed=1, kept=(kept.id,)), rehearsed)
        self.assertEqual(TakenOver(unchanged=2, kept=(kept.id,)), self.data.run(BuryImages(buried)))
        for used in (gone.id, image.id):
            self.assertRaises(errors.Duplicate, self.data.run, CreateImage(used))
        self.assertEqual((), self.data.run(ListRemovals(image.id)))
        self.assertEqual({IMAGE_COUNT_TOTAL: 1, IMAGE_SIZE_TOTAL: 200}, self.all_used())
        self.assertEqual(TakenOver(kept=(image.id,)), self.take_over(ImageRecord(image)))

    def test_records_of_ended_jobs_are_as_they_were(self) -> None:
        ended = replace(job(), state="success", result={"a": 1}, expires_at=MUCH_LATER, updated_at=LATER)
        self.assertEqual(TakenOver(added=1), self.data.run(TakeOverJobs((ended,), is_rehearsal=True)))
        self.assertRaises(errors.NotFound, self.data.run, GetJob(ended.id))
        self.assertEqual(TakenOver(added=1), self.data.run(TakeOverJobs((ended,))))
        self.assertEqual(TakenOver(unchanged=1), self.data.run(TakeOverJobs((ended,))))
        changed = replace(ended, message="later")
        self.assertEqual(TakenOver(changed=1), self.data.run(TakeOverJobs((changed,))))
        self.assertEqual((changed,), self.data.run(ListTasks(JobQuery(kinds=(ended.kind,)))).jobs)
        self.assertIsNone(self.data.run(ClaimJob("me", (ended.kind,), LEASE), MUCH_LATER))

    def test_a_namespace_is_as_it_was_with_its_parts(self) -> None:
        content = self.content()
        self.assertEqual(TakenOver(added=1), self.run_namespaces(content, is_rehearsal=True))
        self.assertRaises(errors.NotFound, self.namespace)
        self.assertEqual(TakenOver(added=1), self.run_namespaces(content))
        self.assertEqual(content, self.namespace())
        self.assertEqual({"T", "other"}, {one.name for one in self.data.run(ListResourceTypes())})
        self.assertEqual(TakenOver(unchanged=1), self.run_namespaces(content))
        changed = replace(content, tags=(), namespace=replace(UNTOUCHED, description="more", updated_at=NOW))
        self.assertEqual(TakenOver(changed=1), self.run_namespaces(changed))
        self.assertEqual(changed, self.namespace())

    def test_a_namespace_that_was_changed_here_later_is_kept(self) -> None:
        content = self.content()
        self.run_namespaces(content)
        own = Namespace("n", description="ours")
        self.data.run(ModifyNamespace("n", new=own), LATER)
        self.assertEqual(TakenOver(kept=("n",)), self.run_namespaces(content))
        self.assertEqual("ours", self.namespace().namespace.description)

    def test_all_images_are_listed_in_pages_of_bounded_size(self) -> None:
        images = [self.old(properties={"p": "x" * 1000}) for _ in range(5)]
        images.append(self.old(status="pending_delete", deleted_at=NOW))
        images.sort(key=lambda image: image.id)
        records = [
            ImageRecord(image, (self.member(image, "m"),), LATER if image.deleted_at else None) for image in images
        ]
        self.take_over(*records)
        self.data.run(BuryImages((BuriedId("11111111-1111-4111-8111-111111111111", EARLIER),)))
        for call in (ListRecords("", 2), ListRecords("", 100, max_bytes=2500), ListRecords("", 100, max_bytes=1)):
            self.assertEqual(records, self.all_records(call))
        self.assertEqual(1, len(self.data.run(ListRecords("", 100, max_bytes=1))))

    def test_ids_of_deleted_images_are_listed(self) -> None:
        image = self.old(id="22222222-2222-4222-8222-222222222222")
        self.take_over(ImageRecord(image))
        self.data.run(MarkDeleted(image.id), NOW)
        first = "11111111-1111-4111-8111-111111111111"
        self.data.run(BuryImages((BuriedId(first, EARLIER),)))
        expected = (BuriedId(first), BuriedId(image.id, NOW))
        self.assertEqual(expected, self.data.run(ListBuried("", 10)))
        self.assertEqual(expected[:1], self.data.run(ListBuried("", 1)))
        self.assertEqual(expected[1:], self.data.run(ListBuried(first, 1)))

    def old(self, **values: object) -> Image:
        """Return an image of another service: active, with 100 bytes in two places."""
        places = (location("a"), location("b", "cheap"))
        return stored(**{"created_at": EARLIER, "updated_at": EARLIER, "locations": places, **values})

    def member(self, image: Image, name: str, **values: object) -> Member:
        """Return a member of ``image``."""
        member = Member(image.id, name, "pending", EARLIER, EARLIER)
        return with_fields(member, **values)

    def take_over(self, *records: ImageRecord) -> TakenOver:
        """Take ``records`` over."""
        return self.data.run(TakeOverImages(records), NOW)

    def found(self, image: Image) -> Image:
        """Return the image as it is now, with locations that have no numbers."""
        return _bare(self.data.run(LoadImage(image.id)))

    def all_records(self, call: ListRecords) -> list[ImageRecord]:
        """Return all pages that ``call`` begins."""
        found: list[ImageRecord] = []
        while page := self.data.run(replace(call, after=found[-1].image.id if found else "")):
            found += page
        return [replace(record, image=_bare(record.image)) for record in found]

    def all_used(self, project: str = "mine") -> dict[str, int]:
        """Return what the project uses, without what it does not use."""
        usage = self.data.run(CountUsage(project))
        return {resource: usage[resource] for resource in COUNTED if usage[resource]}

    def content(self) -> NamespaceContent:
        """Return a namespace with a part of each kind."""
        times = (EARLIER, EARLIER)
        return NamespaceContent(
            UNTOUCHED,
            (Association("T", "hw_", "image", *times),),
            (PropertyDefinition("p", {"type": "string", "title": "P"}, *times),),
            (ObjectDefinition("o", "about", ("b",), {"b": {"type": "string", "title": "B"}}, *times),),
            (TagDefinition("t", *times),),
        )

    def run_namespaces(self, content: NamespaceContent, *, is_rehearsal: bool = False) -> TakenOver:
        """Take ``content`` over, and two resource types."""
        return self.data.run(TakeOverNamespaces((content,), ("T", "other"), is_rehearsal), NOW)

    def namespace(self) -> NamespaceContent:
        """Return the namespace as it is now, without its number."""
        found = self.data.run(GetNamespace("n"))
        return replace(found, namespace=replace(found.namespace, id=None))


def _bare(image: Image) -> Image:
    locations = tuple(replace(location, id=None) for location in image.locations)
    return replace(image, tags=tuple(sorted(image.tags)), locations=locations)


def _sorted(result: TakenOver) -> tuple[str, ...]:
    return tuple(sorted(result.kept))
