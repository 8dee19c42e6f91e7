"""Operations become data-access calls, on a real database; what the calls do is tested with them."""

from datetime import datetime, timedelta

import testtools

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.errors import Forbidden, StatusConflict
from glance_mini.operations import images, members
from glance_mini.testing.samples import TIME, make_image
from tests.unit.layers.support import ADMIN, make_database, make_database_layer, stand


class DatabaseCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = TIME
        self.stack, _ = stand(make_database_layer(make_database(self), clock=self.clock))

    def clock(self) -> datetime:
        return self.now

    def create(self, **values: object) -> str:
        created = self.stack.call(ADMIN, images.CreateImage(base={"owner": "p1", **values}))
        return str(created.id)


class TestImages(DatabaseCase):
    def test_a_new_image_is_queued_with_the_time_and_an_id(self) -> None:
        op = images.CreateImage(base={"owner": "p1", "tags": ["a", "b"], "min_ram": 3}, properties={"k": "v"})
        created = self.stack.call(ADMIN, op)
        self.assertEqual(created, self.stack.call(ADMIN, images.GetImage(created.id)))
        expected = make_image(
            id=created.id,
            status="queued",
            name=None,
            container_format=None,
            disk_format=None,
            size=None,
            locations=(),
            tags=("a", "b"),
            min_ram=3,
            properties={"k": "v"},
        )
        self.assertEqual(expected, created)
        self.assertEqual(36, len(created.id))

    def test_an_id_may_be_chosen(self) -> None:
        created = self.stack.call(ADMIN, images.CreateImage(id="11111111-2222-3333-4444-555555555555"))
        self.assertEqual("11111111-2222-3333-4444-555555555555", created.id)

    def test_an_update_without_changes_writes_nothing(self) -> None:
        image_id = self.create()
        self.now = TIME + timedelta(hours=1)
        self.assertEqual(TIME, self.stack.call(ADMIN, images.UpdateImage(image_id)).updated_at)
        rename = images.UpdateImage(image_id, changes=(PropertyChange("replace", "name", "x"),))
        self.assertEqual(self.now, self.stack.call(ADMIN, rename).updated_at)

    def test_deactivation_is_a_switch_that_may_be_pressed_twice(self) -> None:
        image_id = self.create(status="active")
        for op, status in (
            (images.ReactivateImage, "active"),
            (images.DeactivateImage, "deactivated"),
            (images.DeactivateImage, "deactivated"),
            (images.ReactivateImage, "active"),
        ):
            self.assertEqual(status, self.stack.call(ADMIN, op(image_id)).status)
            self.assertEqual(status, self.stack.call(ADMIN, images.GetImage(image_id)).status)

    def test_only_an_image_with_data_is_switched(self) -> None:
        for status in ("queued", "saving", "uploading", "importing", "killed"):
            image_id = self.create(status=status)
            for op in (images.DeactivateImage(image_id), images.ReactivateImage(image_id)):
                error = self.assertRaises(Forbidden, self.stack.call, ADMIN, op)
                self.assertIn(status, str(error))

    def test_an_image_that_was_switched_meanwhile_is_a_conflict(self) -> None:
        image_id = self.create(status="active")
        seen = self.stack.call(ADMIN, images.GetImage(image_id))
        self.stack.call(ADMIN, images.DeactivateImage(image_id))
        late = images.DeactivateImage(image_id, seen)
        self.assertRaises(StatusConflict, self.stack.call, ADMIN, late)

    def test_a_deleted_image_is_told_as_it_was_deleted(self) -> None:
        image_id = self.create(name="gone")
        self.now = TIME + timedelta(hours=1)
        deleted = self.stack.call(ADMIN, images.DeleteImage(image_id))
        self.assertEqual(("deleted", "gone", self.now), (deleted.status, deleted.name, deleted.deleted_at))


class TestMembers(DatabaseCase):
    def test_a_membership_lives_from_its_beginning_to_its_end(self) -> None:
        image_id = self.create()
        added = self.stack.call(ADMIN, members.AddMember(image_id, member_id="p2"))
        self.assertEqual(("p2", "pending", TIME), (added.member_id, added.status, added.created_at))
        self.now = TIME + timedelta(hours=1)
        accepted = self.stack.call(ADMIN, members.UpdateMember(image_id, member_id="p2", status="accepted"))
        self.assertEqual(("accepted", self.now), (accepted.status, accepted.updated_at))
        self.assertEqual(accepted, self.stack.call(ADMIN, members.GetMember(image_id, member_id="p2")))
        ended = self.stack.call(ADMIN, members.DeleteMember(image_id, member_id="p2"))
        self.assertEqual(("p2", self.now), (ended.member_id, ended.deleted_at))
        self.assertEqual([], list(self.stack.call(ADMIN, members.ListMembers(image_id))))
