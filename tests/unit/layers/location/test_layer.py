"""How the data of images gets out of stores, and what changes of locations, members and visibility do there."""

from typing import Any

from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.errors import (
    Forbidden,
    Invalid,
    NotFound,
    RangeNotSatisfiable,
)
from glance_mini.domain.image import Image, Location
from glance_mini.domain.transfer import DataRemoval
from glance_mini.operations import data, images, info, members
from glance_mini.operations.base import Operation
from glance_mini.testing.recorder import Recorder
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image
from glance_mini_store import errors as store_errors
from tests.unit.layers.location.case import DATA, LocationCase, raising
from tests.unit.layers.location.stores import (
    AclDriver,
    FailingDriver,
    WebDriver,
    multi_store,
    one_store,
    unavailable,
)
from tests.unit.layers.support import ADMIN, OWNER, count, make_member


class TestDownloads(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {name: FailingDriver(name) for name in ("first", "second", "third")}
        self.locations = tuple(
            Location(driver.put(IMAGE_ID, DATA), {"store": name}) for name, driver in self.drivers.items()
        )
        self.image = make_image(size=len(DATA), locations=self.locations)
        self.weights: dict[str, int] = {}

    def download(self, image: Image | None = None, **values: Any) -> Any:
        stack = self.stand(multi_store(self.weights, **self.drivers))
        return stack.call(OWNER, data.DownloadData(IMAGE_ID, image or self.image, **values))

    def read(self, **values: Any) -> bytes:
        found = self.download(**values)
        got = b"".join(found.chunks)
        found.chunks.close()
        self.assertEqual(found.length, len(got))
        self.assertEqual(found.image, self.image)
        return got

    def read_from(self) -> list[str]:
        """Return the stores that were read from, in the order in which they were configured."""
        return [name for name, driver in self.drivers.items() if driver.reads]

    def test_a_range_gives_its_bytes(self) -> None:
        table: list[tuple[int | None, int | None, bytes]] = [
            (None, None, DATA),
            (0, 0, DATA[:1]),
            (3, 8, DATA[3:9]),
            (5, None, DATA[5:]),
            (5, 1000, DATA[5:]),
            (None, 4, DATA[-4:]),
            (None, 1000, DATA),
        ]
        for first, last, expected in table:
            self.assertEqual(expected, self.read(first=first, last=last), (first, last))

    def test_a_range_beyond_the_data_is_refused_before_a_store_is_asked(self) -> None:
        for first, last in ((20, None), (5, 2), (None, 0)):
            self.assertRaises(RangeNotSatisfiable, self.download, first=first, last=last)
        self.assertEqual([], self.read_from())

    def test_offset_and_length_come_with_the_data(self) -> None:
        found = self.download(first=3, last=8)
        self.assertEqual((3, 6), (found.offset, found.length))
        found.chunks.close()

    def test_the_store_with_the_most_weight_is_read_first(self) -> None:
        self.weights = {"first": -1, "second": 5, "third": 2}
        self.read()
        self.assertEqual(["second"], self.read_from())

    def test_stores_of_equal_weight_keep_the_order_of_the_locations(self) -> None:
        self.image = make_image(size=len(DATA), locations=self.locations[::-1])
        self.read()
        self.assertEqual(["third"], self.read_from())

    def test_preferred_stores_come_before_weight_and_the_rest_after(self) -> None:
        self.weights = {"first": 5}
        self.read(prefer=("third", "second"))
        self.assertEqual(["third"], self.read_from())
        for name in ("third", "second"):
            self.drivers[name].fails["read"] = unavailable
        self.assertEqual(DATA, self.read(prefer=("third", "second")))

    def test_a_preferred_store_without_the_data_is_no_mistake(self) -> None:
        self.image = make_image(size=len(DATA), locations=self.locations[:1])
        self.assertEqual(DATA, self.read(prefer=("second",)))

    def test_a_preferred_store_must_exist_and_there_must_be_several(self) -> None:
        self.assertIn("nonesuch", str(self.assertRaises(Invalid, self.download, prefer=("first", "nonesuch"))))
        stack = self.stand(one_store(FailingDriver()))
        self.assertRaises(Invalid, stack.call, OWNER, data.DownloadData(IMAGE_ID, self.image, prefer=("default",)))

    def test_a_store_that_cannot_be_opened_or_breaks_off_is_replaced_by_the_next(self) -> None:
        for position in (None, 0, 8):
            self.drivers["first"].fails["read"] = unavailable
            self.drivers["first"].break_at = position
            self.assertEqual(DATA, self.read())
            self.assertEqual(DATA[2:15], self.read(first=2, last=14))

    def test_an_image_without_data_has_none_to_give(self) -> None:
        for image in (make_image(status="queued", size=None, locations=()), make_image(size=4, locations=())):
            for values in ({}, {"first": 3, "last": None}):
                self.assertIsNone(self.download(image, **values))

    def test_data_that_is_in_no_store_is_none(self) -> None:
        for driver in self.drivers.values():
            driver.discard(IMAGE_ID)
        self.assertIsNone(self.download())
        self.assertEqual(0, count(self.metrics.transfers, "out"))

    def test_data_that_no_store_can_give_is_an_error(self) -> None:
        self.drivers["first"].fails["read"] = unavailable
        for name in ("second", "third"):
            self.drivers[name].discard(IMAGE_ID)
        self.assertRaises(store_errors.RemoteServiceUnavailable, self.download)

    def test_empty_data_is_data(self) -> None:
        empty = self.drivers["first"].put("empty", b"")
        self.image = make_image(size=0, locations=(Location(empty, {"store": "first"}),))
        self.assertEqual(b"", self.read())
        self.assertRaises(RangeNotSatisfiable, self.download, first=0, last=None)

    def test_running_downloads_and_their_bytes_are_counted(self) -> None:
        found = self.download()
        self.assertEqual(1, count(self.metrics.transfers, "out"))
        next(found.chunks)
        found.chunks.close()
        found.chunks.close()
        self.assertEqual((0, 4), (count(self.metrics.transfers, "out"), count(self.metrics.bytes_sent)))


class TestLocations(LocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.drivers = {"a": WebDriver("a"), "b": WebDriver("b")}
        self.stores = multi_store(**self.drivers)
        self.url = self.drivers["b"].put("new", DATA)

    def update(self, *changes: Any, image: Image | None = None, result: Image | None = None, **values: Any) -> Any:
        target = image or make_image()
        stack = self.stand(self.stores, changeable=True, update_image=result or target, **values)
        return stack.call(OWNER, images.UpdateImage(IMAGE_ID, target, changes))

    def add(self, url: str, **metadata: str) -> LocationChange:
        return LocationChange("add", None, (Location(url, metadata),))

    def test_locations_are_not_changed_where_the_operator_has_not_allowed_it(self) -> None:
        stack = self.stand(self.stores, update_image=make_image())
        for change in (self.add(self.url), LocationChange("remove", 0), LocationChange("replace")):
            op = images.UpdateImage(IMAGE_ID, make_image(), (change,))
            self.assertIn("show_multiple_locations", str(self.assertRaises(Forbidden, stack.call, OWNER, op)))
        stack.call(OWNER, images.UpdateImage(IMAGE_ID, make_image(), (PropertyChange("add", "a", "b"),)))
        self.assertEqual(["update_image"], self.recorder.names[:1])

    def test_users_name_what_a_driver_allows_them_and_administrators_and_services_all_of_it(self) -> None:
        disk = FailingDriver("rbd")
        disk.schemes = ("rbd",)  # type: ignore[misc]
        disk._prefix = "rbd://cluster/pool/volume/"
        snapshot = disk.put("snapshot", DATA)
        self.stores = multi_store(**self.drivers, rbd=disk)
        service, token = make_context("service", "p9"), make_context("member", "p1", service_roles=("service",))
        for change in (self.add(snapshot), LocationChange("replace", None, (Location(snapshot, {}),))):
            image = make_image(locations=())
            op = images.UpdateImage(IMAGE_ID, image, (change,))
            stack = self.stand(self.stores, changeable=True, update_image=image)
            error = self.assertRaises(Invalid, stack.call, OWNER, op)
            self.assertIn("you cannot add this location", str(error))
            self.assertEqual([], self.recorder.names)
            for context in (ADMIN, service, token):
                stack = self.stand(self.stores, changeable=True, update_image=image)
                stack.call(context, op)
                (resolved,) = self.only("update_image").changes
                self.assertEqual((snapshot, "rbd"), (resolved.locations[0].url, resolved.locations[0].store))

    def test_a_location_comes_with_its_store_and_its_size(self) -> None:
        self.update(self.add(self.url, k="v", store="a"), PropertyChange("add", "p", "x"))
        added, other = self.only("update_image").changes
        self.assertEqual(Location(self.url, {"k": "v", "store": "b"}), added.locations[0])
        self.assertEqual((len(DATA), PropertyChange("add", "p", "x")), (added.size, other))

    def test_a_location_of_the_only_store_names_none(self) -> None:
        driver = WebDriver()
        self.stores = one_store(driver)
        self.update(self.add(driver.put("new", DATA)))
        self.assertEqual({}, self.only("update_image").changes[0].locations[0].metadata)

    def test_a_location_that_cannot_be_used_is_refused_without_its_credentials(self) -> None:
        self.drivers["a"].fails["size"] = unavailable
        empty = self.drivers["b"].put("empty", b"")
        for url in (
            "gopher://user:passw0rd@host/x",
            "file:///etc/passwd",
            "filesystem:///etc/passwd",
            "swift+config://ref/c/o",
            "swift://user:passw0rd@host/c/o",
            "nonsense",
            "memory://b/new",
            "http://c/unknown-store",
            "http://b/not-there",
            "http://a/not-reachable",
            empty,
        ):
            for action in ("add", "replace"):
                change = LocationChange(action, None, (Location(url),))
                text = str(self.assertRaises(Invalid, self.update, change))
                self.assertNotIn("passw0rd", text)
                self.assertEqual([], self.recorder.names, url)

    def test_a_removed_location_loses_its_data(self) -> None:
        pending = [DataRemoval(3, IMAGE_ID, self.url, {"store": "b"})]
        self.update(LocationChange("remove", 0), list_removals=pending)
        self.assertEqual(["update_image", "list_removals", "finish_removal"], self.recorder.names)
        self.assertFalse(self.drivers["b"].holds(self.url))

    def test_one_that_was_removed_while_another_was_added_loses_its_data_too(self) -> None:
        pending = [DataRemoval(3, IMAGE_ID, self.url, {"store": "b"})]
        other = self.drivers["a"].put("other", DATA)
        self.update(self.add(other), LocationChange("remove", 0), list_removals=pending)
        self.assertFalse(self.drivers["b"].holds(self.url))

    def test_a_removal_is_done_even_where_the_store_does_not_let_the_data_go(self) -> None:
        pending = [DataRemoval(3, IMAGE_ID, self.url, {"store": "b"})]
        for error in (lambda: store_errors.InUseByStore(location=self.url), unavailable):
            self.drivers["b"].fails["delete"] = error
            self.assertEqual(make_image(), self.update(LocationChange("remove", 0), list_removals=pending))
            self.assertEqual(["update_image", "list_removals"], self.recorder.names)

    def test_a_refused_removal_keeps_the_data(self) -> None:
        stack = self.stand(self.stores, changeable=True, update_image=raising(Forbidden(reason="last")))
        op = images.UpdateImage(IMAGE_ID, make_image(), (LocationChange("remove", 0),))
        self.assertRaises(Forbidden, stack.call, OWNER, op)
        self.assertTrue(self.drivers["b"].holds(self.url))


class TestAccessLists(LocationCase):
    MEMBERS = (make_member("p2"), make_member("p3", "accepted"))

    def setUp(self) -> None:
        super().setUp()
        self.driver = AclDriver("acl")
        self.stores = multi_store(acl=self.driver, plain=FailingDriver("plain"))
        plain = Location("memory://plain/x", {"store": "plain"})
        self.locations = (Location("memory://acl/x", {"store": "acl"}), plain)

    def image(self, visibility: str = "shared") -> Image:
        return make_image(visibility=visibility, locations=self.locations)

    def call(self, op: Operation, **answers_with: Any) -> Recorder:
        self.stand(self.stores, list_members=self.MEMBERS, **answers_with).call(OWNER, op)
        return self.recorder

    def test_members_may_read_from_the_store_itself(self) -> None:
        for op in (members.AddMember(IMAGE_ID, self.image(), "p3"), members.DeleteMember(IMAGE_ID, self.image(), "p4")):
            self.driver.acls.clear()
            recorder = self.call(op)
            self.assertEqual([op.name, "list_members"], recorder.names)
            self.assertEqual([("memory://acl/x", False, ["p2", "p3"])], self.driver.acls)

    def test_a_change_of_visibility_changes_who_may_read(self) -> None:
        table = {"public": (True, []), "community": (True, []), "private": (False, []), "shared": (False, ["p2", "p3"])}
        for new, (public, readers) in table.items():
            self.driver.acls.clear()
            old = self.image("private" if new != "private" else "public")
            change = PropertyChange("replace", "visibility", new)
            self.call(images.UpdateImage(IMAGE_ID, old, (change,)), update_image=self.image(new))
            self.assertEqual([("memory://acl/x", public, readers)], self.driver.acls)

    def test_an_added_location_gets_the_list_of_the_image(self) -> None:
        web = WebDriver("web")
        self.stores = multi_store(acl=self.driver, web=web)
        change = LocationChange("add", None, (Location(web.put("x", DATA)),))
        image = make_image(visibility="public", locations=self.locations[1:])
        stack = self.stand(self.stores, changeable=True, update_image=self.image("public"))
        stack.call(OWNER, images.UpdateImage(IMAGE_ID, image, (change,)))
        self.assertEqual([("memory://acl/x", True, [])], self.driver.acls)

    def test_other_changes_leave_the_lists_alone(self) -> None:
        change = PropertyChange("replace", "name", "x")
        recorder = self.call(images.UpdateImage(IMAGE_ID, self.image(), (change,)), update_image=self.image())
        self.assertEqual((["update_image"], []), (recorder.names, self.driver.acls))

    def test_new_data_is_open_to_those_who_may_read_the_image(self) -> None:
        op = data.UploadData(IMAGE_ID, make_image(status="queued", locations=()), (DATA,))
        self.call(op, record_data=self.image("public"))
        self.assertEqual([("memory://acl/x", True, [])], self.driver.acls)

    def test_a_store_without_lists_costs_no_question(self) -> None:
        image = make_image(locations=self.locations[1:])
        self.assertEqual(["add_member"], self.call(members.AddMember(IMAGE_ID, image, "p3")).names)

    def test_a_store_that_fails_fails_no_request(self) -> None:
        self.driver.fails["set_acl"] = unavailable
        recorder = self.call(members.AddMember(IMAGE_ID, self.image(), "p3"))
        self.assertEqual(["add_member", "list_members"], recorder.names)


class TestStores(LocationCase):
    def test_the_stores_come_in_their_order(self) -> None:
        stack = self.stand(multi_store(b=FailingDriver("b"), a=FailingDriver("a")))
        self.assertEqual(["b", "a"], [store.id for store in stack.call(OWNER, info.ListStores())])

    def test_without_several_stores_there_is_no_list(self) -> None:
        self.assertRaises(NotFound, self.stand(one_store(FailingDriver())).call, OWNER, info.ListStores())
