"""The contract for changes by callers who have read the image before: what has changed since then counts."""

from dataclasses import replace

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.domain.image import Image
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, Limits
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import CountUsage, ListRemovals, LoadImage, MarkDeleted, SetStatus
from glance_mini.testing.data_access.samples import LATER, MINE, MUCH_LATER, NOW, ContractBase, stored


class SeenContract(ContractBase):
    def load_image(self, image: Image) -> Image:
        """Return the image as it is now."""
        return self.data.run(LoadImage(image.id, MINE))

    def test_every_change_makes_another_version(self) -> None:
        image = self.create()
        versions = {self.load_image(image).version}
        for change in (PropertyChange("add", "a", "1"), TagChange("add", "t"), PropertyChange("add", "name", "n")):
            self.change(image, change)
            versions.add(self.load_image(image).version)
        self.data.run(SetStatus(image.id, "killed", frozenset({"queued"})), NOW)
        versions.add(self.load_image(image).version)
        self.assertEqual(5, len(versions))

    def test_what_has_changed_since_stays(self) -> None:
        image = self.create(name="first", properties={"a": "1", "b": "2", "c": "3"}, tags=("s", "t"))
        others = self.change(image, PropertyChange("replace", "a", "other"), TagChange("remove", "s"))
        self.assertEqual(({"a": "other", "b": "2", "c": "3"}, ("t",)), (others.properties, others.tags))
        changed = self.change(image, PropertyChange("remove", "b"), TagChange("add", "u"))
        self.assertEqual(({"a": "other", "c": "3"}, {"t", "u"}), (changed.properties, set(changed.tags)))
        found = self.load_image(image)
        self.assertEqual(changed, replace(found, tags=changed.tags))
        self.assertEqual({"t", "u"}, set(found.tags))

    def test_same_property_is_the_last_callers(self) -> None:
        image = self.create(properties={"a": "1"})
        self.change(image, PropertyChange("replace", "a", "2"))
        self.change(image, PropertyChange("replace", "a", "1"))
        self.assertEqual({"a": "1"}, self.load_image(image).properties)

    def test_change_that_fits_only_what_was_seen_fails_and_stores_nothing(self) -> None:
        image = self.create(properties={"a": "1"})
        others = self.change(image, PropertyChange("remove", "a"))
        changes = (PropertyChange("add", "b", "1"), PropertyChange("replace", "a", "2"))
        self.assertRaises(errors.Conflict, self.data.run, UpdateImage(image.id, image, changes), LATER)
        self.assertEqual(others, self.load_image(image))

    def test_change_that_fits_only_the_current_image_succeeds(self) -> None:
        image = self.create()
        self.change(image, PropertyChange("add", "a", "1"))
        changed = self.change(image, PropertyChange("replace", "a", "2"))
        self.assertEqual({"a": "2"}, changed.properties)
        self.assertEqual(changed, self.load_image(image))

    def test_limit_is_that_of_the_current_image(self) -> None:
        image = self.create()
        self.change(image, PropertyChange("add", "a", "1"))
        update = UpdateImage(image.id, image, (PropertyChange("add", "b", "1"),), Limits(properties=1))
        self.assertRaises(errors.LimitExceeded, self.data.run, update, LATER)
        self.assertEqual({"a": "1"}, self.load_image(image).properties)

    def test_image_that_is_protected_since_is_not_deleted(self) -> None:
        image = self.create()
        self.change(image, PropertyChange("add", "protected", True))
        self.assertRaises(errors.Forbidden, self.data.run, MarkDeleted(image.id, image), LATER)
        self.assertTrue(self.load_image(image).protected)

    def test_image_that_was_protected_is_deleted(self) -> None:
        image = self.create(protected=True)
        self.change(image, PropertyChange("replace", "protected", False))
        self.assertEqual("deleted", self.data.run(MarkDeleted(image.id, image), LATER).status)
        self.assertRaises(errors.NotFound, self.load_image, image)

    def test_image_that_is_deleted_since_is_not_found(self) -> None:
        image = self.create()
        self.data.run(MarkDeleted(image.id, image), LATER)
        for call in (MarkDeleted(image.id, image), UpdateImage(image.id, image, (TagChange("add", "t"),))):
            self.assertRaises(errors.NotFound, self.data.run, call, MUCH_LATER)

    def test_deletion_removes_everything_whether_or_not_the_image_has_changed(self) -> None:
        for changes in ((), (PropertyChange("add", "late", "1"), TagChange("add", "late"))):
            image = self.insert(stored(properties={"a": "1", "b": None}, tags=("s", "t")))
            current = self.change(image, *changes) if changes else image
            deleted = self.data.run(MarkDeleted(image.id, image), MUCH_LATER)
            self.assertEqual(("deleted", ()), (deleted.status, deleted.locations))
            self.assertEqual((current.properties, set(current.tags)), (deleted.properties, set(deleted.tags)))
            self.assertEqual(1, len(self.data.run(ListRemovals(image.id))))
            self.assertEqual(0, self.data.run(CountUsage("mine"))[IMAGE_COUNT_TOTAL])

    def test_properties_of_one_reading_are_all_kept(self) -> None:
        image = self.create()
        names = [f"p{number}" for number in range(24)]
        self.at_once(lambda name: self.change(image, PropertyChange("add", name, "x"), TagChange("add", name)), names)
        found = self.load_image(image)
        self.assertEqual((set(names), set(names)), (set(found.properties), set(found.tags)))
