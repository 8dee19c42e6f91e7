"""The contract for what is counted (reference 18)."""

from glance_mini.domain import errors
from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_SIZE_TOTAL, NO_LIMITS, RESOURCES, Limits
from tests.contract.db.samples import NOW, ContractBase, location, sample, stored


class QuotaContract(ContractBase):
    def test_project_without_images_uses_nothing(self):
        self.assertEqual(dict.fromkeys(RESOURCES, 0), self.data.get_usage("mine"))

    def test_size_counts_once_for_each_location(self):
        self.create(status="active", size=100, locations=(location("a"), location("b")))
        self.create()
        self.create(owner="theirs")
        self.create(owner=None)
        self.assertEqual((2, 200), self.used("mine"))
        self.assertEqual((1, 0), self.used("theirs"))

    def test_deleted_image_is_not_counted(self):
        image = self.data.create_image(stored(), NO_LIMITS)
        self.data.delete_image(image.id, NOW)
        self.assertEqual((0, 0), self.used("mine"))

    def test_location_that_comes_and_goes_is_counted(self):
        image = self.data.create_image(stored(), NO_LIMITS)
        for change, used in ((LocationChange("add", None, (location("b"),)), 200), (LocationChange("remove", 0), 100)):
            self.data.update_image(image.id, (change,), NOW, NO_LIMITS)
            self.assertEqual((1, used), self.used("mine"))

    def test_location_beyond_the_limit_is_refused(self):
        image = self.data.create_image(stored(), NO_LIMITS)
        changes = (LocationChange("add", None, (location("b"),)),)
        limits = Limits({IMAGE_SIZE_TOTAL: 199})
        self.assertRaises(errors.LimitExceeded, self.data.update_image, image.id, changes, NOW, limits)
        self.assertEqual((1, 100), self.used("mine"))

    def test_new_owner_takes_over_what_an_image_uses(self):
        image = self.data.create_image(stored(), NO_LIMITS)
        changes = (PropertyChange("replace", "owner", "theirs"),)
        self.data.update_image(image.id, changes, NOW, Limits({IMAGE_COUNT_TOTAL: 1}))
        self.assertEqual((0, 0), self.used("mine"))
        self.assertEqual((1, 100), self.used("theirs"))

    def test_image_beyond_the_limit_is_not_created(self):
        limits = Limits({IMAGE_COUNT_TOTAL: 2})
        for _ in range(2):
            self.data.create_image(sample(), limits)
        refused = sample()
        error = self.assertRaises(errors.LimitExceeded, self.data.create_image, refused, limits)
        self.assertEqual({"resource": IMAGE_COUNT_TOTAL, "limit": 2, "wanted": 3}, error.values)
        self.data.create_image(refused, NO_LIMITS)

    def test_project_none_has_no_limit(self):
        for _ in range(2):
            self.data.create_image(sample(owner=None), Limits({IMAGE_COUNT_TOTAL: 1}))

    def used(self, project):
        usage = self.data.get_usage(project)
        return usage[IMAGE_COUNT_TOTAL], usage[IMAGE_SIZE_TOTAL]
