"""The contract for what is counted."""

from glance_mini.domain import errors
from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_SIZE_TOTAL, RESOURCES, Limits
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import CountUsage, MarkDeleted
from glance_mini.testing.data_access.samples import NOW, ContractBase, location, sample, stored


class QuotaContract(ContractBase):
    def test_project_without_images_uses_nothing(self) -> None:
        self.assertEqual(dict.fromkeys(RESOURCES, 0), self.data.run(CountUsage("mine")))

    def test_size_counts_once_for_each_location(self) -> None:
        self.create(status="active", size=100, locations=(location("a"), location("b")))
        self.create()
        self.create(owner="theirs")
        self.create(owner=None)
        self.assertEqual((2, 200), self.used_by("mine"))
        self.assertEqual((1, 0), self.used_by("theirs"))

    def test_deleted_image_is_not_counted(self) -> None:
        image = self.insert(stored())
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertEqual((0, 0), self.used_by("mine"))

    def test_location_that_comes_and_goes_is_counted(self) -> None:
        image = self.insert(stored())
        for change, used in ((LocationChange("add", None, (location("b"),)), 200), (LocationChange("remove", 0), 100)):
            self.data.run(UpdateImage(image.id, changes=(change,)), NOW)
            self.assertEqual((1, used), self.used_by("mine"))

    def test_location_beyond_the_limit_is_refused(self) -> None:
        image = self.insert(stored())
        changes = (LocationChange("add", None, (location("b"),)),)
        update = UpdateImage(image.id, changes=changes, limits=Limits({IMAGE_SIZE_TOTAL: 199}))
        self.assertRaises(errors.LimitExceeded, self.data.run, update, NOW)
        self.assertEqual((1, 100), self.used_by("mine"))

    def test_new_owner_takes_over_what_an_image_uses(self) -> None:
        image = self.insert(stored())
        changes = (PropertyChange("replace", "owner", "theirs"),)
        self.data.run(UpdateImage(image.id, changes=changes, limits=Limits({IMAGE_COUNT_TOTAL: 1})), NOW)
        self.assertEqual((0, 0), self.used_by("mine"))
        self.assertEqual((1, 100), self.used_by("theirs"))

    def test_image_beyond_the_limit_is_not_created(self) -> None:
        limits = Limits({IMAGE_COUNT_TOTAL: 2})
        for _ in range(2):
            self.insert(sample(), limits)
        refused = sample()
        error = self.assertRaises(errors.LimitExceeded, self.insert, refused, limits)
        self.assertEqual({"resource": IMAGE_COUNT_TOTAL, "limit": 2, "wanted": 3}, error.values)
        self.insert(refused)

    def test_project_none_has_no_limit(self) -> None:
        for _ in range(2):
            self.insert(sample(owner=None), Limits({IMAGE_COUNT_TOTAL: 1}))

    def used_by(self, project: str) -> tuple[int, int]:
        """Return how many images the project has and how many bytes."""
        usage = self.data.run(CountUsage(project))
        return usage[IMAGE_COUNT_TOTAL], usage[IMAGE_SIZE_TOTAL]
