"""The contract for properties that images must have."""

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.image import Image
from glance_mini.domain.quota import Limits
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import BeginTransfer, LoadImage
from glance_mini.testing.data_access.metadef_samples import MetadefBase
from glance_mini.testing.data_access.samples import (
    LEASE,
    NOW,
    stored,
    transfer,
)


class RequiredPropertyContract(MetadefBase):
    """Properties without which an image gets no data."""

    required = Limits(required=("distro",))

    def test_transfer_of_an_image_without_a_required_property_does_not_begin(self) -> None:
        image = self.create()
        begin = BeginTransfer(transfer(image), LEASE, self.required)
        error = self.assertRaises(errors.PropertyRequired, self.data.run, begin, NOW)
        self.assertEqual({"name": "distro", "id": image.id}, error.values)
        self.assertEqual("queued", self.data.run(LoadImage(image.id)).status)
        self.data.run(BeginTransfer(transfer(image), LEASE, self.required, to_staging=True), NOW)
        complete = self.create(properties={"distro": "leap"})
        self.assertEqual("saving", self.data.run(BeginTransfer(transfer(complete), LEASE, self.required), NOW).status)

    def test_required_property_of_an_image_with_data_stays(self) -> None:
        image = self.create(properties={"distro": "leap", "other": "x"})
        self.begin(image)
        for change in (PropertyChange("remove", "distro"), PropertyChange("move", "other", source="distro")):
            call = UpdateImage(image.id, changes=(change,), limits=self.required)
            self.assertRaises(errors.PropertyRequired, self.data.run, call, NOW)
        remove = UpdateImage(image.id, changes=(PropertyChange("remove", "other"),), limits=self.required)
        self.assertEqual({"distro": "leap"}, self.data.run(remove, NOW).properties)

    def test_required_property_that_was_never_there_is_not_asked_for_in_a_change(self) -> None:
        image = self.insert(stored())
        call = UpdateImage(image.id, changes=(PropertyChange("add", "color", "red"),), limits=self.required)
        self.assertEqual({"color": "red"}, self.data.run(call, NOW).properties)

    def test_removal_and_upload_at_once_leave_no_image_with_data_and_without_the_property(self) -> None:
        images = [self.create(properties={"distro": "leap"}) for _ in range(8)]

        def race(choice: tuple[Image, bool]) -> Image:
            image, removes = choice
            if removes:
                change = PropertyChange("remove", "distro")
                return self.data.run(UpdateImage(image.id, changes=(change,), limits=self.required), NOW)
            return self.data.run(BeginTransfer(transfer(image), LEASE, self.required), NOW)

        self.at_once(race, [(image, removes) for image in images for removes in (True, False)])
        for image in images:
            found = self.data.run(LoadImage(image.id))
            self.assertEqual(found.status == "saving", "distro" in found.properties)
