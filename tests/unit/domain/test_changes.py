"""How changes are applied to an image (api-images-update, api-tags)."""

from datetime import timedelta
from typing import Any

import testtools

from glance_mini.domain.changes import Change, LocationChange, PropertyChange, TagChange, apply, check_sizes
from glance_mini.domain.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.testing.samples import TIME, make_image

NOW = TIME + timedelta(hours=1)

ONE, TWO, THREE = (Location(f"http://host/{name}", {"store": "web"}, id=None) for name in "123")
KEPT = Location("http://host/1", {"store": "web"}, id=7)
OTHER = Location("http://host/2", {"store": "web"}, id=8)


class ChangesCase(testtools.TestCase):
    def apply(self, image: Image, *changes: Change, limits: Limits = NO_LIMITS) -> Image:
        return apply(image, changes, NOW, limits)

    def refused(self, error: type[Exception], image: Image, *changes: Change, limits: Limits = NO_LIMITS) -> str:
        return str(self.assertRaises(error, apply, image, changes, NOW, limits))


class TestProperties(ChangesCase):
    IMAGE = make_image(name="old", properties={"there": "1"})

    def test_the_table_of_operations_and_keys(self) -> None:
        """``add`` of media type v2.1 is add, that of v2.0 is create."""
        base, existing, absent = "name", "there", "absent"
        table: list[tuple[str, str, Any]] = [
            ("add", base, "new"),
            ("add", existing, "new"),
            ("add", absent, "new"),
            ("create", base, Conflict),
            ("create", existing, Conflict),
            ("create", absent, "new"),
            ("replace", base, "new"),
            ("replace", existing, "new"),
            ("replace", absent, Conflict),
            ("remove", base, Forbidden),
            ("remove", existing, None),
            ("remove", absent, Conflict),
        ]
        for action, name, expected in table:
            change = PropertyChange(action, name, "new")
            if isinstance(expected, type):
                self.assertIn(name, self.refused(expected, self.IMAGE, change), (action, name))
                continue
            changed = self.apply(self.IMAGE, change)
            found = changed.name if name == base else changed.properties.get(name)
            self.assertEqual(expected, found, (action, name))

    def test_the_texts_say_what_is_wrong(self) -> None:
        self.assertIn("already present", self.refused(Conflict, self.IMAGE, PropertyChange("create", "there", "x")))
        self.assertIn("does not exist", self.refused(Conflict, self.IMAGE, PropertyChange("remove", "absent")))
        self.assertIn("may not be removed", self.refused(Forbidden, self.IMAGE, PropertyChange("remove", "name")))

    def test_changes_apply_in_their_order(self) -> None:
        changed = self.apply(
            self.IMAGE,
            PropertyChange("remove", "there"),
            PropertyChange("create", "there", "2"),
            PropertyChange("replace", "there", "3"),
            PropertyChange("add", "new", "4"),
            PropertyChange("replace", "name", "renamed"),
        )
        self.assertEqual(({"there": "3", "new": "4"}, "renamed"), (dict(changed.properties), changed.name))

    def test_a_failing_change_leaves_the_image_as_it_was(self) -> None:
        changes = (PropertyChange("add", "a", "1"), PropertyChange("add", "b", "1"), PropertyChange("remove", "c"))
        self.refused(Conflict, self.IMAGE, *changes)
        self.assertEqual({"there": "1"}, dict(self.IMAGE.properties))

    def test_any_change_moves_the_time_and_none_does_not(self) -> None:
        self.assertEqual(NOW, self.apply(self.IMAGE, TagChange("add", "t")).updated_at)
        self.assertIs(self.IMAGE, self.apply(self.IMAGE))

    def test_moved_property_has_its_value_under_the_new_name_only(self) -> None:
        move = PropertyChange("move", "here", source="there")
        self.assertEqual({"here": "1"}, dict(self.apply(self.IMAGE, move).properties))
        both = (PropertyChange("add", "here", "2"), move)
        self.assertEqual({"here": "1"}, dict(self.apply(self.IMAGE, *both).properties))
        same = PropertyChange("move", "there", source="there")
        self.assertEqual({"there": "1"}, dict(self.apply(self.IMAGE, same).properties))
        self.refused(Conflict, self.IMAGE, PropertyChange("move", "here", source="nowhere"))

    def test_value_and_all_properties_have_a_limit(self) -> None:
        check_sizes({}, {"p": "x" * 65_535})
        self.assertRaises(Invalid, check_sizes, {}, {"p": "x" * 65_536})
        self.assertRaises(Invalid, check_sizes, {}, {"p": "ä" * 32_768})
        many = {f"p{number:02}": "x" * 65_000 for number in range(17)}
        self.assertRaises(LimitExceeded, check_sizes, {}, many)
        check_sizes(many, many)
        check_sizes({**many, "more": ""}, many)

    def test_values_of_custom_properties_become_text(self) -> None:
        for value, text in (("x", "x"), ("", ""), (True, "True"), (7, "7"), (None, None)):
            self.assertEqual(text, self.apply(self.IMAGE, PropertyChange("add", "p", value)).properties["p"])

    def test_every_base_property_can_be_set(self) -> None:
        values = {
            "name": None,
            "visibility": "public",
            "protected": True,
            "os_hidden": True,
            "owner": None,
            "min_ram": 1,
            "min_disk": 2,
            "tags": ("a",),
        }
        changed = self.apply(self.IMAGE, *(PropertyChange("replace", name, value) for name, value in values.items()))
        self.assertEqual(values, {name: getattr(changed, name) for name in values})

    def test_formats_change_only_while_an_image_is_queued(self) -> None:
        for name in ("disk_format", "container_format"):
            for value in ("vhd", None):
                change = PropertyChange("replace", name, value)
                self.assertEqual(value, getattr(self.apply(make_image(status="queued"), change), name))
                for status in ("active", "deactivated", "saving", "uploading", "importing"):
                    self.assertIn(name, self.refused(Forbidden, make_image(status=status), change))

    def test_a_format_may_be_set_to_what_it_is(self) -> None:
        changed = self.apply(make_image(disk_format="raw"), PropertyChange("replace", "disk_format", "raw"))
        self.assertEqual("raw", changed.disk_format)


class TestTags(ChangesCase):
    IMAGE = make_image(tags=("a", "b"))

    def test_adding_a_tag_twice_is_adding_it_once(self) -> None:
        self.assertEqual(("a", "b"), self.apply(self.IMAGE, TagChange("add", "a")).tags)
        self.assertEqual(("a", "b", "c"), self.apply(self.IMAGE, TagChange("add", "c"), TagChange("add", "c")).tags)

    def test_removing_a_tag_that_is_not_there_is_not_found(self) -> None:
        self.assertEqual(("b",), self.apply(self.IMAGE, TagChange("remove", "a")).tags)
        self.assertIn("tag", self.refused(NotFound, self.IMAGE, TagChange("remove", "c")))
        self.refused(NotFound, self.IMAGE, TagChange("remove", "a"), TagChange("remove", "a"))

    def test_replaced_tags_are_a_set(self) -> None:
        changed = self.apply(self.IMAGE, PropertyChange("replace", "tags", ["x", "y", "x"]))
        self.assertEqual(("x", "y"), changed.tags)
        self.assertEqual((), self.apply(self.IMAGE, PropertyChange("replace", "tags", [])).tags)


class TestLimits(ChangesCase):
    def properties(self, *names: str) -> Image:
        return make_image(properties=dict.fromkeys(names, "x"))

    def test_properties_are_counted_only_when_one_was_added(self) -> None:
        limits, over = Limits(properties=2), self.properties("a", "b", "c")
        rename = PropertyChange("replace", "name", "x")
        for change in (rename, PropertyChange("add", "a", "y"), PropertyChange("remove", "a")):
            self.apply(over, change, limits=limits)
        swap = (PropertyChange("remove", "a"), PropertyChange("add", "d", "x"))
        self.refused(LimitExceeded, over, *swap, limits=limits)
        self.apply(self.properties("a", "b"), *swap, limits=limits)
        text = self.refused(LimitExceeded, self.properties("a", "b"), PropertyChange("add", "c", "x"), limits=limits)
        self.assertIn("image_property_quota is 2; this request would make it 3", text)

    def test_the_services_own_properties_do_not_count(self) -> None:
        limits = Limits(properties=1)
        image = self.properties("a", "os_glance_x")
        self.apply(image, PropertyChange("add", "os_glance_y", "x"), limits=limits)
        self.apply(self.properties("a", "b"), PropertyChange("add", "os_glance_y", "x"), limits=limits)
        self.refused(LimitExceeded, image, PropertyChange("add", "b", "x"), limits=limits)

    def test_tags_are_counted_only_when_there_are_more(self) -> None:
        limits, over = Limits(tags=2), make_image(tags=("a", "b", "c"))
        for change in (TagChange("remove", "a"), TagChange("add", "a"), PropertyChange("replace", "tags", ["a", "b"])):
            self.apply(over, change, limits=limits)
        for change in (TagChange("add", "d"), PropertyChange("replace", "tags", ["a", "b", "c", "d"])):
            self.assertIn("image_tag_quota", self.refused(LimitExceeded, over, change, limits=limits))
        self.apply(make_image(tags=("a",)), TagChange("add", "b"), limits=limits)

    def test_locations_are_counted_only_when_there_are_more(self) -> None:
        limits, over = Limits(locations=1), make_image(locations=(KEPT, OTHER))
        self.apply(over, LocationChange("remove", 0), limits=limits)
        text = self.refused(LimitExceeded, over, LocationChange("add", None, (THREE,), 4), limits=limits)
        self.assertIn("image_location_quota", text)

    def test_a_limit_of_nothing_is_a_limit(self) -> None:
        self.refused(LimitExceeded, make_image(), PropertyChange("add", "a", "x"), limits=Limits(properties=0))
        self.refused(LimitExceeded, make_image(), TagChange("add", "a"), limits=Limits(tags=0))


class TestLocations(ChangesCase):
    QUEUED = make_image(status="queued", size=None, locations=())
    ACTIVE = make_image(locations=(KEPT, OTHER))

    def urls(self, image: Image) -> list[str]:
        return [location.url[-1] for location in image.locations]

    def test_the_first_location_makes_a_queued_image_active_with_its_size(self) -> None:
        for action in ("add", "replace"):
            changed = self.apply(self.QUEUED, LocationChange(action, None, (ONE,), size=9))
            self.assertEqual(("active", 9, ["1"]), (changed.status, changed.size, self.urls(changed)))

    def test_a_location_goes_where_it_is_put(self) -> None:
        for position, order in ((None, "123"), (0, "312"), (1, "132"), (2, "123")):
            changed = self.apply(self.ACTIVE, LocationChange("add", position, (THREE,), 4))
            self.assertEqual(list(order), self.urls(changed))
        self.refused(Invalid, self.ACTIVE, LocationChange("add", 3, (THREE,), 4))

    def test_a_further_location_changes_neither_size_nor_status(self) -> None:
        changed = self.apply(self.ACTIVE, LocationChange("add", None, (THREE,), size=4))
        self.assertEqual(("active", 4), (changed.status, changed.size))

    def test_the_same_url_and_metadata_cannot_be_added_twice(self) -> None:
        self.refused(Invalid, self.ACTIVE, LocationChange("add", None, (ONE,), 4))
        self.refused(Invalid, self.QUEUED, LocationChange("replace", None, (ONE, ONE), 4))
        other = Location(ONE.url, {"store": "other"})
        self.assertEqual(3, len(self.apply(self.ACTIVE, LocationChange("add", None, (other,), 4)).locations))

    def test_a_further_location_must_hold_as_many_bytes(self) -> None:
        self.assertRaises(Invalid, self.apply, self.ACTIVE, LocationChange("add", None, (THREE,), size=99))

    def test_locations_change_only_in_some_statuses(self) -> None:
        add, replace = LocationChange("add", None, (THREE,), 4), LocationChange("replace", None, (ONE, TWO))
        for status in ("saving", "uploading", "importing", "deactivated", "killed", "pending_delete"):
            image = make_image(status=status, locations=(KEPT, OTHER))
            for change in (add, replace, LocationChange("remove", 0)):
                self.assertIn(status, self.refused(StatusConflict, image, change))
        self.refused(StatusConflict, make_image(status="queued", locations=(KEPT, OTHER)), LocationChange("remove", 0))

    def test_a_queued_image_needs_its_formats_for_a_location(self) -> None:
        image = make_image(status="queued", disk_format=None, size=None, locations=())
        self.assertIn("disk_format", self.refused(Invalid, image, LocationChange("add", None, (ONE,), 4)))

    def test_replacing_changes_metadata_and_keeps_the_rows(self) -> None:
        new = (Location(TWO.url, {"k": "v"}), Location(ONE.url, {}))
        changed = self.apply(self.ACTIVE, LocationChange("replace", None, new))
        self.assertEqual([8, 7], [location.id for location in changed.locations])
        self.assertEqual([{"k": "v"}, {}], [location.metadata for location in changed.locations])

    def test_replacing_cannot_change_the_urls(self) -> None:
        for new in ((ONE,), (ONE, THREE), (ONE, TWO, THREE), (ONE, ONE)):
            self.refused(Invalid, self.ACTIVE, LocationChange("replace", None, new))

    def test_locations_cannot_be_replaced_by_none(self) -> None:
        for image in (self.ACTIVE, self.QUEUED):
            self.refused(Forbidden, image, LocationChange("replace", None, ()))

    def test_a_location_is_removed_by_its_position(self) -> None:
        self.assertEqual(["2"], self.urls(self.apply(self.ACTIVE, LocationChange("remove", 0))))
        self.assertEqual(["1"], self.urls(self.apply(self.ACTIVE, LocationChange("remove", 1))))
        self.refused(Invalid, self.ACTIVE, LocationChange("remove", 2))

    def test_a_location_is_removed_wherever_it_is_now(self) -> None:
        self.assertEqual(["2"], self.urls(self.apply(self.ACTIVE, LocationChange("remove", locations=(KEPT,)))))
        self.assertEqual(["1"], self.urls(self.apply(self.ACTIVE, LocationChange("remove", locations=(OTHER,)))))
        both = [LocationChange("remove", locations=(location,)) for location in (KEPT, OTHER)]
        self.refused(Forbidden, self.ACTIVE, *both)
        self.refused(Conflict, self.ACTIVE, LocationChange("remove", locations=(Location("memory://gone"),)))

    def test_the_last_location_stays(self) -> None:
        self.refused(Forbidden, make_image(locations=(KEPT,)), LocationChange("remove", 0))
        self.refused(Forbidden, self.ACTIVE, LocationChange("remove", 0), LocationChange("remove", 0))

    def test_hashes_of_a_caller_are_taken_while_an_image_is_queued(self) -> None:
        hashes = {"checksum": "c", "os_hash_algo": "sha512", "os_hash_value": "v"}
        changed = self.apply(self.QUEUED, LocationChange("add", None, (ONE,), 4, hashes))
        self.assertEqual(hashes, {name: getattr(changed, name) for name in hashes})

    def test_hashes_of_a_caller_must_agree_with_those_known(self) -> None:
        image = make_image(locations=(KEPT, OTHER), os_hash_algo="sha512", os_hash_value="v")
        known = {"os_hash_algo": "sha512", "os_hash_value": "v"}
        table: list[tuple[LocationChange, bool]] = [
            (LocationChange("add", None, (THREE,), 4, known), True),
            (LocationChange("add", None, (THREE,), 4, {**known, "os_hash_value": "w"}), False),
            (LocationChange("add", None, (THREE,), 4, {**known, "checksum": "c"}), False),
            (LocationChange("replace", None, (ONE, TWO), None, known), True),
            (LocationChange("replace", None, (ONE, TWO), None, {**known, "os_hash_value": "w"}), False),
        ]
        for change, agrees in table:
            if agrees:
                self.apply(image, change)
            else:
                self.refused(Conflict, image, change)
