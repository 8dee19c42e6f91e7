"""Who stores act for when a request uses them."""

from dataclasses import replace

from glance_mini.domain.context import Context
from glance_mini.domain.image import Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.layers.location.callers import caller_for
from glance_mini.operations import data, images, members
from glance_mini.testing.samples import IMAGE_ID, make_image
from glance_mini_store.caller import Caller
from glance_mini_store.store import Store
from tests.unit.layers.location.case import DATA, LocationCase, raising
from tests.unit.layers.location.stores import CallerDriver, FailingDriver, one_store, unavailable
from tests.unit.layers.support import ADMIN, ANONYMOUS, MEMBER, OWNER, make_member

OWNER_WITH_TOKEN = replace(OWNER, auth_token="t1")
MEMBER_WITH_TOKEN = replace(MEMBER, auth_token="t2")
ADMIN_WITH_TOKEN = replace(ADMIN, auth_token="t9")
THE_OWNER = Caller("p1", "u1", OWNER.roles, "t1")
FOR_THE_OWNER = Caller("p1")


class TestCallerFor(LocationCase):
    def test_users_act_with_their_own_tokens(self) -> None:
        self.assertEqual(THE_OWNER, caller_for(OWNER_WITH_TOKEN, "p1"))
        self.assertEqual(Caller("p2", "u1", MEMBER.roles, "t2"), caller_for(MEMBER_WITH_TOKEN, "p1"))

    def test_for_an_administrator_the_store_acts_for_the_owner(self) -> None:
        self.assertEqual(FOR_THE_OWNER, caller_for(ADMIN_WITH_TOKEN, "p1"))
        self.assertEqual("t9", caller_for(ADMIN_WITH_TOKEN, "p9").token)

    def test_without_a_token_the_store_acts_for_the_owner(self) -> None:
        for context in (OWNER, ANONYMOUS, Context()):
            self.assertEqual(FOR_THE_OWNER, caller_for(context, "p1"))
        self.assertEqual(Caller(), caller_for(ANONYMOUS, None))

    def test_no_token_is_in_a_text(self) -> None:
        self.assertNotIn("t1", repr(THE_OWNER))


class TestCalls(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.driver = CallerDriver()
        self.stores = one_store(self.driver)
        self.url = self.driver.put("x", DATA)
        self.image = make_image(size=len(DATA), locations=(Location(self.url),), visibility="shared")

    def test_new_data_is_written_and_opened_for_the_caller(self) -> None:
        stack = self.stand(self.stores, record_data=self.image, list_members=[make_member("p2")])
        stack.call(OWNER_WITH_TOKEN, data.UploadData(IMAGE_ID, make_image(status="queued", locations=()), (DATA,)))
        self.assertEqual([("write", THE_OWNER), ("set_acl", THE_OWNER)], self.driver.calls)

    def test_data_that_was_not_recorded_is_removed_for_the_caller(self) -> None:
        stack = self.stand(self.stores, record_data=raising(ValueError()))
        upload = data.UploadData(IMAGE_ID, make_image(status="queued", locations=()), (DATA,))
        self.assertRaises(ValueError, stack.call, OWNER_WITH_TOKEN, upload)
        self.assertEqual([("write", THE_OWNER), ("delete", THE_OWNER)], self.driver.calls)

    def test_data_is_read_for_the_caller(self) -> None:
        found = self.stand(self.stores).call(MEMBER_WITH_TOKEN, data.DownloadData(IMAGE_ID, self.image))
        self.assertEqual(DATA, b"".join(found.chunks))
        self.assertEqual([("read", caller_for(MEMBER_WITH_TOKEN, "p1"))], self.driver.calls)

    def test_data_is_deleted_for_the_caller(self) -> None:
        stack = self.stand(self.stores, list_removals=[DataRemoval(7, IMAGE_ID, self.url)])
        stack.call(OWNER_WITH_TOKEN, images.DeleteImage(IMAGE_ID, self.image))
        self.assertEqual([("delete", THE_OWNER)], self.driver.calls)

    def test_members_are_changed_for_the_caller(self) -> None:
        stack = self.stand(self.stores, list_members=[make_member("p2")])
        stack.call(ADMIN_WITH_TOKEN, members.AddMember(IMAGE_ID, self.image, "p2"))
        self.assertEqual([("set_acl", FOR_THE_OWNER)], self.driver.calls)


class TestStores(LocationCase):
    def test_a_store_for_a_caller_leaves_the_store_as_it_was(self) -> None:
        driver = CallerDriver()
        store = Store(driver, "a")
        store.for_caller(THE_OWNER).discard("x")
        store.discard("x")
        self.assertEqual([("discard", THE_OWNER), ("discard", None)], driver.calls)

    def test_a_driver_that_knows_no_users_is_the_same_for_all(self) -> None:
        driver = FailingDriver()
        driver.fails["discard"] = unavailable
        self.assertIs(driver, driver.for_caller(THE_OWNER))
