"""The contract for members."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.member import Member
from glance_mini.operations.members import AddMember, DeleteMember, GetMember, ListMembers, UpdateMember
from glance_mini.operations.records import MarkDeleted
from glance_mini.testing.data_access.samples import LATER, NOW, ContractBase, sample


class MemberContract(ContractBase):
    def test_member_begins_pending(self) -> None:
        image = self.create()
        member = self.data.run(AddMember(image.id, member_id="theirs"), LATER)
        self.assertEqual(Member(image.id, "theirs", "pending", LATER, LATER), member)
        self.assertEqual([member], list(self.data.run(ListMembers(image.id))))

    def test_members_come_in_the_order_of_their_creation(self) -> None:
        image = self.create()
        for number, name in enumerate(("c", "a", "b")):
            self.data.run(AddMember(image.id, member_id=name), NOW + timedelta(seconds=number))
        self.assertEqual(["c", "a", "b"], [one.member_id for one in self.data.run(ListMembers(image.id))])
        self.assertEqual(["a"], [one.member_id for one in self.data.run(ListMembers(image.id, member_id="a"))])
        self.assertEqual([], list(self.data.run(ListMembers(image.id, member_id="A"))))

    def test_member_is_added_once(self) -> None:
        image = self.create()
        self.data.run(AddMember(image.id, member_id="theirs"), NOW)
        self.assertRaises(errors.Duplicate, self.data.run, AddMember(image.id, member_id="theirs", limit=1), NOW)

    def test_member_limit_counts_the_new_one(self) -> None:
        image = self.create()
        self.data.run(AddMember(image.id, member_id="a", limit=1), NOW)
        second = AddMember(image.id, member_id="b", limit=1)
        error = self.assertRaises(errors.LimitExceeded, self.data.run, second, NOW)
        self.assertEqual({"resource": "image_member_quota", "limit": 1, "wanted": 2}, error.values)

    def test_deleted_membership_may_be_added_again(self) -> None:
        image = self.create()
        member = self.data.run(AddMember(image.id, member_id="theirs"), NOW)
        deleted = self.data.run(DeleteMember(image.id, member_id="theirs"), LATER)
        self.assertEqual(replace(member, updated_at=LATER, deleted_at=LATER), deleted)
        self.assertEqual([], list(self.data.run(ListMembers(image.id))))
        self.assertEqual("pending", self.data.run(AddMember(image.id, member_id="theirs", limit=1), LATER).status)

    def test_status_of_a_member_is_set(self) -> None:
        image = self.create()
        member = self.data.run(AddMember(image.id, member_id="theirs"), NOW)
        updated = self.data.run(UpdateMember(image.id, member_id="theirs", status="accepted"), LATER)
        self.assertEqual(replace(member, status="accepted", updated_at=LATER), updated)
        self.assertEqual(updated, self.data.run(GetMember(image.id, member_id="theirs")))

    def test_member_that_is_not_there_is_not_found(self) -> None:
        image = self.create()
        self.assertRaises(errors.NotFound, self.data.run, GetMember(image.id, member_id="theirs"))
        for call in (
            UpdateMember(image.id, member_id="theirs", status="accepted"),
            DeleteMember(image.id, member_id="theirs"),
        ):
            self.assertRaises(errors.NotFound, self.data.run, call, NOW)

    def test_image_that_is_not_there_gets_no_member(self) -> None:
        image = self.create()
        self.data.run(MarkDeleted(image.id), NOW)
        for image_id in (image.id, sample().id):
            self.assertRaises(errors.NotFound, self.data.run, AddMember(image_id, member_id="theirs"), NOW)
