"""The contract for members (reference section 8)."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.member import Member
from tests.contract.db.samples import LATER, NOW, ContractBase, sample


class MemberContract(ContractBase):
    def test_member_begins_pending(self):
        image = self.create()
        member = self.data.add_member(image.id, "theirs", LATER, None)
        self.assertEqual(Member(image.id, "theirs", "pending", LATER, LATER), member)
        self.assertEqual([member], list(self.data.list_members(image.id, None)))

    def test_members_come_in_the_order_of_their_creation(self):
        image = self.create()
        for number, name in enumerate(("c", "a", "b")):
            self.data.add_member(image.id, name, NOW + timedelta(seconds=number), None)
        self.assertEqual(["c", "a", "b"], [one.member_id for one in self.data.list_members(image.id, None)])
        self.assertEqual(["a"], [one.member_id for one in self.data.list_members(image.id, "a")])
        self.assertEqual([], list(self.data.list_members(image.id, "A")))

    def test_member_is_added_once(self):
        image = self.create()
        self.data.add_member(image.id, "theirs", NOW, None)
        self.assertRaises(errors.Duplicate, self.data.add_member, image.id, "theirs", NOW, 1)

    def test_member_limit_counts_the_new_one(self):
        image = self.create()
        self.data.add_member(image.id, "a", NOW, 1)
        error = self.assertRaises(errors.LimitExceeded, self.data.add_member, image.id, "b", NOW, 1)
        self.assertEqual({"resource": "image_member_quota", "limit": 1, "wanted": 2}, error.values)

    def test_deleted_membership_may_be_added_again(self):
        image = self.create()
        member = self.data.add_member(image.id, "theirs", NOW, None)
        deleted = self.data.delete_member(image.id, "theirs", LATER)
        self.assertEqual(replace(member, updated_at=LATER, deleted_at=LATER), deleted)
        self.assertEqual([], list(self.data.list_members(image.id, None)))
        self.assertEqual("pending", self.data.add_member(image.id, "theirs", LATER, 1).status)

    def test_status_of_a_member_is_set(self):
        image = self.create()
        member = self.data.add_member(image.id, "theirs", NOW, None)
        updated = self.data.update_member(image.id, "theirs", "accepted", LATER)
        self.assertEqual(replace(member, status="accepted", updated_at=LATER), updated)
        self.assertEqual(updated, self.data.get_member(image.id, "theirs"))

    def test_member_that_is_not_there_is_not_found(self):
        image = self.create()
        self.assertRaises(errors.NotFound, self.data.get_member, image.id, "theirs")
        self.assertRaises(errors.NotFound, self.data.update_member, image.id, "theirs", "accepted", NOW)
        self.assertRaises(errors.NotFound, self.data.delete_member, image.id, "theirs", NOW)

    def test_image_that_is_not_there_gets_no_member(self):
        image = self.create()
        self.data.delete_image(image.id, NOW)
        for image_id in (image.id, sample().id):
            self.assertRaises(errors.NotFound, self.data.add_member, image_id, "theirs", NOW, None)
