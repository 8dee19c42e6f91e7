"""The contract for what is counted."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.image import Image
from glance_mini.domain.quota import (
    COUNTED,
    IMAGE_COUNT_TOTAL,
    IMAGE_SIZE_DELETED,
    IMAGE_SIZE_TOTAL,
    IMAGE_STAGE_TOTAL,
    Limits,
)
from glance_mini.operations.base import DataCall
from glance_mini.operations.images import RestoreImage, UpdateImage
from glance_mini.operations.records import (
    BeginTransfer,
    CountUsage,
    GetProjectLimits,
    ListProjects,
    MarkDeleted,
    MoveToTrash,
    SetProjectLimits,
)
from glance_mini.testing.data_access.job_samples import job, staging
from glance_mini.testing.data_access.samples import LEASE, NOW, ContractBase, creation, location, sample, stored


class QuotaContract(ContractBase):
    def test_project_without_images_uses_nothing(self) -> None:
        self.assertEqual(dict.fromkeys(COUNTED, 0), self.data.run(CountUsage("mine")))

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

    def test_resources_that_count_together_share_one_limit(self) -> None:
        self.insert(stored())
        self.move_to_trash(self.insert(stored()))
        together = {IMAGE_SIZE_TOTAL: (IMAGE_SIZE_DELETED, IMAGE_STAGE_TOTAL)}
        for limit, fits in ((299, False), (300, True)):
            image = self.insert(stored())
            self.data.run(MarkDeleted(image.id), NOW)
            call = creation(stored(), Limits({IMAGE_SIZE_TOTAL: limit}, together=together))
            if fits:
                self.data.run(call, NOW)
            else:
                error = self.assertRaises(errors.LimitExceeded, self.data.run, call, NOW)
                self.assertEqual({"resource": IMAGE_SIZE_TOTAL, "limit": 299, "wanted": 300}, error.values)
        usage = self.data.run(CountUsage("mine"))
        self.assertEqual((200, 100), (usage[IMAGE_SIZE_TOTAL], usage[IMAGE_SIZE_DELETED]))

    def test_limit_of_several_resources_is_not_passed_together(self) -> None:
        together = {
            IMAGE_SIZE_TOTAL: (IMAGE_SIZE_DELETED, IMAGE_STAGE_TOTAL),
            IMAGE_STAGE_TOTAL: (IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL),
        }
        limits = Limits({IMAGE_SIZE_TOTAL: 500, IMAGE_STAGE_TOTAL: 500}, together=together)
        calls: list[DataCall[object]] = []
        for _ in range(8):
            image = self.create()
            begun = replace(staging(image), reserved=100)
            calls += [creation(stored(), limits), BeginTransfer(begun, LEASE, limits, to_staging=True)]
        results = self.at_once(lambda call: self.data.run(call, NOW), calls)
        self.assertEqual(11, sum(isinstance(one, errors.LimitExceeded) for one in results))
        usage = self.data.run(CountUsage("mine"))
        self.assertEqual(500, usage[IMAGE_SIZE_TOTAL] + usage[IMAGE_STAGE_TOTAL])

    def test_restored_image_needs_no_room_if_deleted_ones_count(self) -> None:
        image = self.insert(stored())
        self.move_to_trash(image)
        self.insert(stored())
        limits = Limits({IMAGE_SIZE_TOTAL: 150}, together={IMAGE_SIZE_TOTAL: (IMAGE_SIZE_DELETED,)})
        self.data.run(RestoreImage(image.id, limits=limits), NOW)
        self.assertEqual((2, 200), self.used_by("mine"))
        self.assertEqual(0, self.data.run(CountUsage("mine"))[IMAGE_SIZE_DELETED])

    def test_limits_of_a_project_are_set_replaced_and_removed_one_by_one(self) -> None:
        self.assertEqual({}, self.data.run(GetProjectLimits("mine")))
        self.data.run(SetProjectLimits("mine", {IMAGE_SIZE_TOTAL: 2**62, IMAGE_COUNT_TOTAL: 5, IMAGE_STAGE_TOTAL: -1}))
        self.data.run(SetProjectLimits("mine", {IMAGE_COUNT_TOTAL: 0, IMAGE_STAGE_TOTAL: None}))
        self.assertEqual({IMAGE_SIZE_TOTAL: 2**62, IMAGE_COUNT_TOTAL: 0}, self.data.run(GetProjectLimits("mine")))
        self.assertEqual({}, self.data.run(GetProjectLimits("theirs")))

    def test_limits_that_are_set_at_once_are_those_of_one_caller(self) -> None:
        calls = [SetProjectLimits("mine", {IMAGE_SIZE_TOTAL: n, IMAGE_COUNT_TOTAL: n}) for n in range(8)]
        self.assertEqual([None] * 8, self.at_once(self.data.run, calls))
        limits = self.data.run(GetProjectLimits("mine"))
        self.assertEqual(limits[IMAGE_SIZE_TOTAL], limits[IMAGE_COUNT_TOTAL])

    def test_projects_with_limits_or_usage_are_listed(self) -> None:
        self.create(owner="theirs")
        self.create(owner=None)
        self.data.run(SetProjectLimits("mine", {IMAGE_COUNT_TOTAL: 5}))
        self.data.run(SetProjectLimits("theirs", {IMAGE_COUNT_TOTAL: 5}))
        self.assertEqual(("mine", "theirs"), self.data.run(ListProjects(10)))
        self.assertEqual(("mine",), self.data.run(ListProjects(1)))
        self.assertEqual(("theirs",), self.data.run(ListProjects(10, after="mine")))

    def move_to_trash(self, image: Image) -> None:
        """Delete an image so that it can be restored for an hour."""
        scrub = job(kind="scrub", image_id=image.id, token=None)
        self.data.run(MoveToTrash(image.id, timedelta(hours=1), scrub), NOW)

    def test_project_none_has_no_limit(self) -> None:
        for _ in range(2):
            self.insert(sample(owner=None), Limits({IMAGE_COUNT_TOTAL: 1}))

    def used_by(self, project: str) -> tuple[int, int]:
        """Return how many images the project has and how many bytes."""
        usage = self.data.run(CountUsage(project))
        return usage[IMAGE_COUNT_TOTAL], usage[IMAGE_SIZE_TOTAL]
