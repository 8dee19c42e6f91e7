"""The contract for callers at the same time: nothing acknowledged is lost, no limit is passed together."""

from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.domain.image import Image
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, Limits
from glance_mini.operations.members import AddMember, ListMembers
from glance_mini.operations.records import (
    AbortTransfer,
    CountUsage,
    LoadImage,
    MarkDeleted,
    RecordData,
    TakeDueRemovals,
    TakeExpiredTransfers,
)
from glance_mini.testing.data_access.samples import LATER, MINE, NOW, ContractBase, data_of, sample, stored


class ConcurrencyContract(ContractBase):
    def test_properties_added_at_once_are_all_kept(self) -> None:
        image = self.create()
        names = [f"p{number}" for number in range(24)]
        self.at_once(lambda name: self.change(image, PropertyChange("add", name, "x")), names)
        self.assertEqual(set(names), set(self.data.run(LoadImage(image.id, MINE)).properties))

    def test_tags_added_at_once_are_all_kept(self) -> None:
        image = self.create()
        tags = [f"t{number}" for number in range(24)]
        self.at_once(lambda tag: self.change(image, TagChange("add", tag)), tags)
        self.assertEqual(set(tags), set(self.data.run(LoadImage(image.id, MINE)).tags))

    def test_same_tag_added_at_once_is_kept_once(self) -> None:
        image = self.create()
        self.at_once(lambda _: self.change(image, TagChange("add", "same")), range(8))
        self.assertEqual(("same",), self.data.run(LoadImage(image.id, MINE)).tags)

    def test_images_created_at_once_stay_within_the_limit(self) -> None:
        limits = Limits({IMAGE_COUNT_TOTAL: 5})
        results = self.at_once(lambda _: self.insert(sample(), limits), range(20))
        refused = [one for one in results if isinstance(one, errors.LimitExceeded)]
        self.assertEqual(15, len(refused))
        self.assertEqual(5, self.data.run(CountUsage("mine"))[IMAGE_COUNT_TOTAL])

    def test_images_created_at_once_by_a_new_project_are_all_counted(self) -> None:
        results = self.at_once(lambda _: self.insert(sample(owner="new")), range(12))
        self.assertEqual([], [one for one in results if isinstance(one, Exception)])
        self.assertEqual(12, self.data.run(CountUsage("new"))[IMAGE_COUNT_TOTAL])

    def test_one_id_created_at_once_exists_once(self) -> None:
        image = sample()
        results = self.at_once(lambda _: self.insert(image), range(8))
        self.assertEqual(7, len([one for one in results if isinstance(one, errors.Duplicate)]))
        self.assertEqual(1, self.data.run(CountUsage("mine"))[IMAGE_COUNT_TOTAL])

    def test_member_limit_holds_for_members_added_at_once(self) -> None:
        image = self.create()
        self.at_once(lambda name: self.data.run(AddMember(image.id, member_id=str(name), limit=3), NOW), range(12))
        self.assertEqual(3, len(self.data.run(ListMembers(image.id))))

    def test_expired_transfers_are_divided_among_callers(self) -> None:
        begun = {self.begin(self.create()).id for _ in range(12)}
        calls = [TakeExpiredTransfers(str(name), frozenset(), timedelta(0)) for name in range(6)]
        taken = self.all_at_once(lambda call: self.data.run(call, LATER), calls)
        ids = [one.id for some in taken for one in some]
        self.assertEqual((len(begun), begun), (len(ids), set(ids)))

    def test_due_deletions_are_divided_among_callers(self) -> None:
        for _ in range(12):
            self.data.run(MarkDeleted(self.insert(stored()).id), NOW)
        call = TakeDueRemovals(timedelta(days=1000))
        taken = self.all_at_once(lambda _: self.data.run(call, LATER), range(6))
        ids = [one.id for some in taken for one in some]
        self.assertEqual((12, 12), (len(ids), len(set(ids))))

    def test_upload_and_deletion_at_once_leave_no_live_image_without_a_claim(self) -> None:
        images = [self.create() for _ in range(8)]
        begun = {image.id: self.begin(image) for image in images}

        def race(choice: tuple[Image, bool]) -> Image:
            image, deletes = choice
            if deletes:
                return self.data.run(MarkDeleted(image.id), NOW)
            return self.data.run(RecordData(begun[image.id], data_of()), NOW)

        self.at_once(race, [(image, deletes) for image in images for deletes in (True, False)])
        for image in images:
            self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id, MINE))
        for transfer in begun.values():
            self.data.run(AbortTransfer(transfer), NOW)
        self.assertEqual({0}, set(self.data.run(CountUsage("mine")).values()))
