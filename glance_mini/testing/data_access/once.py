"""The contract for calls that may be sent twice: a write with a key is done once, and its result comes back."""

from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.query import EVERYTHING, ImageQuery
from glance_mini.operations.images import CreateImage, ListImages, UpdateImage
from glance_mini.operations.members import AddMember
from glance_mini.operations.once import PurgeKeys, RunOnce
from glance_mini.operations.records import CountUsage, LoadImage, MarkDeleted, RecordData
from glance_mini.testing.data_access.samples import LATER, MINE, NOW, ContractBase, data_of

KEY = "k" * 64
HOUR = timedelta(hours=1)


class OnceContract(ContractBase):
    def test_write_with_a_key_is_done_once_and_returns_its_result_again(self) -> None:
        image = self.create()
        call = RunOnce(KEY, AddMember(image.id, member_id="theirs"))
        self.assertEqual(self.data.run(call, NOW), self.data.run(call, LATER))

    def test_write_with_another_key_is_another_one(self) -> None:
        call = CreateImage(base={"owner": "mine"})
        self.data.run(RunOnce(KEY, call), NOW)
        self.assertRaises(errors.Duplicate, self.data.run, RunOnce("other", call), NOW)

    def test_repeated_end_of_an_upload_returns_the_active_image(self) -> None:
        image = self.create()
        transfer = self.begin(image)
        call = RunOnce(KEY, RecordData(transfer, data_of()))
        active = self.data.run(call, NOW)
        self.assertEqual("active", active.status)
        self.assertEqual(active, self.data.run(call, LATER))
        self.assertRaises(errors.TransferLost, self.data.run, RunOnce("other", call.call), NOW)

    def test_result_stays_the_first_one_when_the_image_has_changed_since(self) -> None:
        image = self.create()
        call = RunOnce(KEY, UpdateImage(image.id, changes=(PropertyChange("add", "first", "x"),)))
        first = self.data.run(call, NOW)
        self.change(image, PropertyChange("remove", "first"))
        self.assertEqual(first, self.data.run(call, LATER))
        self.assertEqual({}, self.data.run(LoadImage(image.id, MINE)).properties)

    def test_call_that_failed_is_tried_again(self) -> None:
        image = self.create(protected=True)
        call = RunOnce(KEY, MarkDeleted(image.id))
        self.assertRaises(errors.Forbidden, self.data.run, call, NOW)
        self.change(image, PropertyChange("replace", "protected", False))
        self.assertEqual("deleted", self.data.run(call, LATER).status)

    def test_call_sent_many_times_at_once_is_done_once(self) -> None:
        call = RunOnce(KEY, CreateImage(base={"owner": "mine"}))
        results = self.at_once(lambda _: self.data.run(call, NOW), range(8))
        self.assertEqual([results[0]] * 8, results)
        self.assertEqual(1, len(self.data.run(ListImages(ImageQuery(), EVERYTHING)).images))
        self.assertEqual(1, self.data.run(CountUsage("mine"))["image_count_total"])

    def test_old_keys_are_removed_in_batches(self) -> None:
        for number in range(3):
            self.data.run(RunOnce(f"old-{number}", CreateImage(base={"owner": "mine"})), NOW)
        call = RunOnce(KEY, CreateImage(base={"owner": "mine"}))
        image = self.data.run(call, LATER)
        until = LATER + HOUR / 2
        self.assertEqual([2, 1, 0], [self.data.run(PurgeKeys(HOUR, 2), until) for _ in range(3)])
        self.assertEqual(image, self.data.run(call, until))
