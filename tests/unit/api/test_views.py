"""Images, members, stores and usage as clients see them."""

import json

import testtools

from glance_mini.api.response import dump_json
from glance_mini.api.v2.property_types import PropertyTypes
from glance_mini.api.v2.views import info, members
from glance_mini.api.v2.views.images import ImageViews
from glance_mini.domain.image import Location
from glance_mini.domain.member import Member
from glance_mini.domain.query import Page
from glance_mini.testing.samples import TIME, make_image
from glance_mini_store.drivers.http import HttpDriver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store

BASE = {
    *("id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_algo", "os_hash_value"),
    *("owner", "size", "virtual_size", "container_format", "disk_format", "created_at", "updated_at", "tags"),
    *("min_ram", "min_disk", "self", "file", "schema"),
}

TWO = (Location("memory://a/x", {"store": "slow", "note": "1"}), Location("memory://b/x", {"store": "quick"}))


def views(**shown: bool) -> ImageViews:
    """Return views that show nothing but what is asked for, and read locations in the reverse order."""
    defaults = {"show_direct_url": False, "show_locations": False, "multi_store": False}
    types = PropertyTypes({"properties": {}})
    return ImageViews(lambda locations: list(locations)[::-1], types, **(defaults | shown))


class TestImageViews(testtools.TestCase):
    def test_base_properties_are_always_there_and_nothing_else(self) -> None:
        self.assertEqual(BASE, set(views().show(make_image())))

    def test_times_have_whole_seconds_and_a_zone(self) -> None:
        image = make_image(created_at=TIME.replace(microsecond=999999))
        self.assertEqual("2026-01-02T03:04:05Z", json.loads(dump_json(views().show(image)))["created_at"])

    def test_text_is_not_escaped(self) -> None:
        self.assertIn("Größe".encode(), dump_json(views().show(make_image(name="Größe"))))

    def test_internal_properties_are_shown_but_for_two(self) -> None:
        hidden = {"os_glance_stage_host": "x", "os_glance_hash_op_host": "x"}
        image = make_image(properties={**hidden, "os_glance_import_task": "t", "a": "b"})
        self.assertEqual({"os_glance_import_task", "a"}, set(views().show(image)) - BASE)

    def test_the_direct_url_is_the_location_that_is_read_first(self) -> None:
        self.assertEqual("memory://b/x", views(show_direct_url=True).show(make_image(locations=TWO))["direct_url"])

    def test_locations_are_shown_in_the_order_in_which_they_are_read(self) -> None:
        shown = views(show_locations=True).show(make_image(locations=TWO))["locations"]
        self.assertEqual(["memory://b/x", "memory://a/x"], [location["url"] for location in shown])
        self.assertEqual({"store": "slow", "note": "1"}, shown[1]["metadata"])

    def test_an_image_without_data_has_an_empty_list_of_locations_and_no_direct_url(self) -> None:
        view = views(show_locations=True, show_direct_url=True, multi_store=True).show(make_image(locations=()))
        self.assertEqual([], view["locations"])
        self.assertNotIn("direct_url", view)
        self.assertNotIn("stores", view)

    def test_stores_are_in_the_order_of_their_weights_and_then_of_their_names(self) -> None:
        weights = {"slow": 1, "quick": 5, "fast": 5}
        kept = (*TWO, Location("memory://c/x", {"store": "fast"}), Location("memory://d/x", {}))
        types = PropertyTypes({"properties": {}})

        def order(locations):
            return sorted(locations, key=lambda location: -weights.get(location.store, 0))

        shown = ImageViews(order, types, show_direct_url=False, show_locations=False, multi_store=True)
        for number in range(len(kept)):
            image = make_image(locations=kept[number:] + kept[:number])
            self.assertEqual("fast,quick,slow", shown.show(image)["stores"])


class TestPages(testtools.TestCase):
    def test_the_next_page_is_named_only_where_there_is_one(self) -> None:
        page = views().page(Page((make_image(),)), [])
        self.assertNotIn("next", page)
        self.assertEqual("/v2/images", page["first"])

    def test_links_keep_the_parameters_but_the_marker(self) -> None:
        page = views().page(Page((), "last"), [("tag", "a"), ("tag", "b c"), ("marker", "old")])
        self.assertEqual("/v2/images?tag=a&tag=b+c", page["first"])
        self.assertEqual("/v2/images?tag=a&tag=b+c&marker=last", page["next"])


class TestOtherViews(testtools.TestCase):
    def test_a_member_has_six_properties(self) -> None:
        member = Member("i", "p2", "pending", TIME, TIME)
        self.assertEqual(
            {"member_id", "image_id", "status", "created_at", "updated_at", "schema"}, set(members.show(member))
        )

    def test_flags_of_stores_are_text_and_absent_when_off(self) -> None:
        stores = [Store(MemoryDriver("a"), "a", is_default=True, description="d", weight=3)]
        self.assertEqual({"stores": [{"id": "a", "description": "d", "default": "true"}]}, info.stores(stores, False))
        detail = info.stores(stores, True)["stores"][0]
        self.assertEqual(("memory", 3, {}), (detail["type"], detail["weight"], detail["properties"]))

    def test_a_store_that_cannot_be_written_is_read_only(self) -> None:
        driver = HttpDriver.__new__(HttpDriver)
        self.assertEqual("true", info.stores([Store(driver, "w")], False)["stores"][0]["read-only"])

    def test_sizes_of_usage_are_in_mebibytes_and_counts_are_not(self) -> None:
        sizes = (256 * 1024**2, 1024**3)
        given = {"image_size_total": sizes, "image_count_total": (7, 10), "image_stage_total": (0, -1)}
        self.assertEqual(
            {
                "usage": {
                    "image_size_total": {"usage": 256, "limit": 1024},
                    "image_count_total": {"usage": 7, "limit": 10},
                    "image_stage_total": {"usage": 0, "limit": -1},
                }
            },
            info.usage(given),
        )
