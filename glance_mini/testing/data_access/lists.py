"""The contract for lists of images, checked against the rules written as plain Python."""

import itertools
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image
from glance_mini.domain.query import EVERYTHING, SORT_KEYS, ImageQuery, RangeFilter, Scope, TimeFilter
from glance_mini.operations.images import ListImages, UpdateImage
from glance_mini.operations.members import AddMember, UpdateMember
from glance_mini.operations.records import MarkDeleted
from glance_mini.testing.data_access.samples import LATER, MINE, NOBODY, NOW, THEIRS, ContractBase, location, sample

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

COMMON = 200
"""A property of this many images counts as common; backends may look for it in another way."""

SCOPES = (MINE, THEIRS, NOBODY, EVERYTHING, Scope("mine", is_admin=True))
DEFAULT = (("created_at", "desc"), ("id", "desc"))
VISIBILITIES = ("public", "private", "shared", "community")


class ListContract(ContractBase):
    def test_everyone_sees_what_the_rules_say(self) -> None:
        self.fill()
        for scope, visibility, member_status, hidden in itertools.product(
            SCOPES, (None, "all", *VISIBILITIES), ("accepted", "pending", "all"), (False, True)
        ):
            self.check_list(scope, visibility=visibility, member_status=member_status, os_hidden=hidden)

    def test_filters_keep_what_the_rules_say(self) -> None:
        self.fill()
        for filters in (
            {"one_of": {"name": ("b",)}},
            {"one_of": {"name": ("a", "B", "zz")}},
            {"one_of": {"name": ("",)}},
            {"one_of": {"name": ()}},
            {"one_of": {"status": ("active",), "disk_format": ("raw", "qcow2")}},
            {"one_of": {"container_format": ("",)}},
            {"one_of": {"size": (100,)}},
            {"one_of": {"size": (10**30,)}},
            {"one_of": {"protected": (True,)}},
            {"one_of": {"owner": ("mine",)}},
            {"one_of": {"owner": ("theirs",)}},
            {"one_of": {"owner": ("mine", "theirs")}},
            {"one_of": {"owner": ("mine",)}, "visibility": "public"},
            {"one_of": {"owner": ("theirs",)}, "visibility": "all", "member_status": "all"},
            {"one_of": {"owner": ("theirs",)}, "visibility": "shared", "properties": {"p": "1"}},
            {"one_of": {"min_ram": (2,)}, "visibility": "all"},
            {"properties": {"p": "1"}},
            {"properties": {"p": "1"}, "visibility": "all", "member_status": "all"},
            {"properties": {"P": "1"}},
            {"properties": {"p": "1 "}},
            {"properties": {"p": "1", "q": "2"}},
            {"tags": ("t",)},
            {"tags": ("t",), "visibility": "private"},
            {"tags": ("t", "u")},
            {"tags": ("T",)},
            {"tags": ("t",), "properties": {"p": "1"}},
            {"ranges": (RangeFilter("size", 100, 200), RangeFilter("min_ram", None, 1))},
            {"ranges": (RangeFilter("size", -(10**30), 10**30),)},
        ):
            for scope in SCOPES:
                self.check_list(scope, **filters)

    def test_common_filters_keep_what_the_rules_say(self) -> None:
        self.fill()
        for number in range(COMMON + 2):
            time = NOW + timedelta(seconds=number)
            more = {"rare": "1"} if number % 50 == 0 else {}
            owner, visibility = (("mine", "shared"), ("theirs", "public"), ("theirs", "private"))[number % 3]
            values = {"p": "1", "many": "x", **more}
            self.images[1000 + number] = self.create(
                created_at=time, owner=owner, visibility=visibility, tags=("all",), properties=values
            )
        for filters in (
            {"properties": {"many": "x"}},
            {"properties": {"many": "x", "p": "1"}, "tags": ("all",)},
            {"properties": {"many": "x", "rare": "1"}},
            {"properties": {"many": "x", "p": "2"}},
            {"properties": {"many": "x", **{f"absent{number}": "x" for number in range(31)}}},
            {"tags": ("all",), "visibility": "all", "member_status": "all"},
            {"tags": ("all", "t"), "visibility": "public"},
            {"properties": {"p": "1"}, "visibility": "shared", "member_status": "all"},
        ):
            for scope in SCOPES:
                self.check_list(scope, **filters)

    def test_page_ends_before_the_image_with_which_it_would_have_too_many_bytes(self) -> None:
        sizes = (10, 10, 10, 500, 10, 20)
        for number, size in enumerate(sizes):
            properties = {"p": "x" * (size - 1)}
            self.create(created_at=NOW - timedelta(seconds=number), properties=properties)
        for scope, visibility in itertools.product((MINE, EVERYTHING), (None, "all")):
            query, pages = ImageQuery(limit=4, max_bytes=30, visibility=visibility), list[list[int]]()
            while query.marker or not pages:
                page = self.data.run(ListImages(query, scope))
                pages.append([len(image.properties["p"] or "") + 1 for image in page.images])
                query = replace(query, marker=page.next_marker)
            self.assertEqual([[10, 10, 10], [500], [10, 20]], pages)

    def test_bytes_of_an_image_follow_its_changes(self) -> None:
        image = self.create()
        self.create(created_at=LATER, tags=("u",))
        many = "x" * 100
        for change, listed in (
            (TagChange("add", "t"), 2),
            (PropertyChange("add", "p", many), 1),
            (PropertyChange("move", "q", source="p"), 1),
            (PropertyChange("replace", "q", ""), 2),
            (TagChange("add", many), 1),
            (TagChange("remove", many), 2),
        ):
            self.data.run(UpdateImage(image.id, changes=(change,)), LATER)
            page = self.data.run(ListImages(ImageQuery(max_bytes=50), MINE))
            self.assertEqual(listed, len(page.images), change)

    def test_search_finds_a_part_of_a_name_in_any_case_and_no_wildcards(self) -> None:
        for name in ("Debian 12", "debian/13", "100%", "under_score", "a\\b", None):
            self.create(name=name)
        for part, names in (
            ("DEB", {"Debian 12", "debian/13"}),
            ("n/1", {"debian/13"}),
            ("%", {"100%"}),
            ("_", {"under_score"}),
            ("\\", {"a\\b"}),
            ("none", set()),
        ):
            for scope in (MINE, EVERYTHING):
                page = self.data.run(ListImages(ImageQuery(name_part=part), scope))
                self.assertEqual(names, {image.name for image in page.images}, f"{part} {scope}")
                self.assertIsNone(page.next_marker)

    def test_search_looks_at_a_bounded_number_of_images_and_goes_on_after_them(self) -> None:
        for number in range(10):
            self.create(name=f"{'x' if number in (1, 8) else 'o'}{number}", created_at=NOW - timedelta(seconds=number))
        for scope, visibility, limit in itertools.product((MINE, EVERYTHING), (None, "all"), (1, 5)):
            query = ImageQuery(name_part="X", max_searched=3, limit=limit, visibility=visibility)
            pages = list[list[str | None]]()
            while query.marker or not pages:
                page = self.data.run(ListImages(query, scope))
                pages.append([image.name for image in page.images])
                query = replace(query, marker=page.next_marker)
            self.assertEqual(["x1", "x8"], [name for names in pages for name in names])
            self.assertIn(len(pages), (4, 5))

    def test_null_is_found_by_the_empty_text(self) -> None:
        null, empty = self.create(properties={"p": None}), self.create(properties={"p": ""})
        page = self.data.run(ListImages(ImageQuery(properties={"p": ""}), MINE))
        self.assertEqual({null.id: None, empty.id: ""}, {image.id: image.properties["p"] for image in page.images})

    def test_time_filters_keep_what_the_rules_say(self) -> None:
        self.fill()
        for field, relation in itertools.product(("created_at", "updated_at"), ("gt", "gte", "lt", "lte", "eq", "neq")):
            self.check_list(EVERYTHING, times=(TimeFilter(field, relation, NOW + timedelta(seconds=2)),))

    def test_every_order_can_be_paged(self) -> None:
        self.fill()
        for key, first, rest in itertools.product(SORT_KEYS, ("asc", "desc"), ("asc", "desc")):
            sort = ((key, first), ("created_at", rest), ("id", rest))
            for scope in (MINE, NOBODY, EVERYTHING):
                self.check_list(scope, sort=sort, visibility="all", member_status="all")
            self.check_list(MINE, sort=sort, properties={"p": "1"})
            self.check_list(MINE, sort=sort, one_of={"status": ("active", "queued")})

    def test_order_by_several_keys_can_be_paged(self) -> None:
        self.fill()
        sort = (
            ("size", "desc"),
            ("name", "asc"),
            ("name", "desc"),
            ("created_at", "desc"),
            ("id", "asc"),
            ("size", "asc"),
        )
        self.check_list(MINE, sort=sort)
        self.check_list(EVERYTHING, sort=sort, tags=("t",))

    def test_deleted_and_killed_images_are_not_listed(self) -> None:
        deleted, killed = self.create(properties={"p": "1"}), self.create(status="killed")
        self.data.run(MarkDeleted(deleted.id), NOW)
        for query in (ImageQuery(), ImageQuery(properties={"p": "1"}), ImageQuery(one_of={"id": (killed.id,)})):
            self.assertEqual((), self.data.run(ListImages(query, EVERYTHING)).images)

    def test_listed_image_is_complete(self) -> None:
        image = self.create(
            status="active", size=1, tags=("t",), properties={"p": "1"}, locations=(location("a"), location("b"))
        )
        for query in (ImageQuery(), ImageQuery(tags=("t",)), ImageQuery(one_of={"id": (image.id,)})):
            self.assertEqual((image,), self.data.run(ListImages(query, MINE)).images)

    def test_visibility_that_changes_moves_the_image_between_lists(self) -> None:
        image = self.create(properties={"p": "1"})
        for visibility, seen in (("public", True), ("community", False), ("private", False), ("public", True)):
            changes = (PropertyChange("replace", "visibility", visibility),)
            self.data.run(UpdateImage(image.id, changes=changes), LATER)
            for query in (ImageQuery(), ImageQuery(properties={"p": "1"})):
                self.assertEqual(seen, bool(self.data.run(ListImages(query, THEIRS)).images))

    def test_marker_must_be_an_image_that_the_caller_may_see(self) -> None:
        deleted, foreign = self.create(), self.create(owner="theirs", visibility="private")
        self.data.run(MarkDeleted(deleted.id), NOW)
        for marker in (deleted.id, foreign.id, sample().id, "", "x" * 100):
            self.assertRaises(errors.Invalid, self.data.run, ListImages(ImageQuery(marker=marker), MINE))

    def test_marker_may_be_an_image_that_the_list_leaves_out(self) -> None:
        old, new = self.create(created_at=NOW), self.create(created_at=LATER)
        community = self.create(owner="theirs", visibility="community", created_at=NOW + timedelta(minutes=1))
        page = self.data.run(ListImages(ImageQuery(marker=community.id), MINE))
        self.assertEqual([old.id], [image.id for image in page.images])
        self.assertNotIn(new, page.images)

    def test_page_of_nothing_has_no_next_one(self) -> None:
        self.create()
        page = self.data.run(ListImages(ImageQuery(limit=0), MINE))
        self.assertEqual(((), None), (page.images, page.next_marker))

    def test_next_marker_stands_on_a_full_page_only(self) -> None:
        images = [self.create(created_at=NOW + timedelta(seconds=number)) for number in range(3)]
        full = self.data.run(ListImages(ImageQuery(limit=2), MINE))
        self.assertEqual(images[1].id, full.next_marker)
        last = self.data.run(ListImages(ImageQuery(limit=2, marker=full.next_marker), MINE))
        self.assertEqual(((images[0],), None), (last.images, last.next_marker))

    def fill(self) -> None:
        """Create images of every kind, the same each time."""
        chance = random.Random(7)
        self.images, self.members = {}, {}
        for number in range(60):
            image = sample(
                created_at=NOW + timedelta(seconds=chance.randrange(5)),
                updated_at=NOW + timedelta(seconds=chance.randrange(5)),
                name=chance.choice((None, "", "a", "b", "B", "\u00e4", "b ")),
                owner=chance.choice(("mine", "theirs", "mine", "theirs", "others", None)),
                visibility=chance.choice(VISIBILITIES),
                status=chance.choice(("queued", "active", "active", "saving")),
                os_hidden=chance.random() < 0.2,
                protected=chance.random() < 0.3,
                disk_format=chance.choice((None, "raw", "qcow2")),
                container_format=chance.choice((None, "bare")),
                size=chance.choice((None, 0, 100, 200, 300)),
                min_ram=chance.randrange(3),
                tags=tuple(tag for tag in ("t", "u", "T") if chance.random() < 0.5),
                properties={name: chance.choice("12") for name in ("p", "q", "P") if chance.random() < 0.7},
            )
            self.images[number] = self.insert(image)
            if chance.random() < 0.6:
                member, status = chance.choice(("mine", "theirs")), chance.choice(("pending", "accepted", "rejected"))
                self.data.run(AddMember(image.id, member_id=member), NOW)
                self.data.run(UpdateMember(image.id, member_id=member, status=status), NOW)
                self.members[image.id] = (member, status)

    def check_list(self, scope: Scope, **values: object) -> None:
        """Compare all pages of a query with what the rules say."""
        query = with_fields(ImageQuery(), **values)
        expected = self.expected_ids(query, scope)
        whole = self.data.run(ListImages(replace(query, limit=1000), scope))
        self.assertEqual(expected, [image.id for image in whole.images], f"{scope} {values}")
        found, marker = [], None
        while True:
            page = self.data.run(ListImages(replace(query, limit=7, marker=marker), scope))
            found += [image.id for image in page.images]
            marker = page.next_marker
            if marker is None:
                break
        self.assertEqual(expected, found, f"pages of {scope} {values}")

    def expected_ids(self, query: ImageQuery, scope: Scope) -> list[str]:
        """Return the ids that the rules let ``scope`` see, in the order of the query."""
        found = [image for image in self.images.values() if self.is_listed(image, query, scope)]
        for key, direction in reversed(query.sort):
            found.sort(key=lambda image: sort_value(image, key), reverse=direction == "desc")
        return [image.id for image in found]

    def is_listed(self, image: Image, query: ImageQuery, scope: Scope) -> bool:
        """Return whether the list shows the image."""
        if image.os_hidden != query.os_hidden or not self.is_in_scope(image, query, scope):
            return False
        return (
            all(getattr(image, name) in allowed for name, allowed in query.one_of.items())
            and all(image.properties.get(name) == value for name, value in query.properties.items())
            and set(query.tags) <= set(image.tags)
            and all(holds(getattr(image, one.field), one) for one in query.times)
            and all(is_within(getattr(image, one.field), one) for one in query.ranges)
        )

    def is_in_scope(self, image: Image, query: ImageQuery, scope: Scope) -> bool:
        """Return whether ``scope`` sees the image in a list of this visibility."""
        if query.visibility not in (None, "all", image.visibility):
            return False
        owned = image.owner is None or (scope.project_id is not None and image.owner == scope.project_id)
        if owned:
            return True
        if image.visibility == "community":
            return query.visibility is not None
        if scope.is_admin or image.visibility == "public":
            return True
        member, status = self.members.get(image.id, (None, None))
        is_member = member is not None and member == scope.project_id
        return image.visibility == "shared" and is_member and query.member_status in (status, "all")


def sort_value(image: Image, key: str) -> "SupportsRichComparison":
    """Return what the image is sorted by; a value that is not set is empty or 0."""
    value = getattr(image, key)
    if value is None:
        value = 0 if key == "size" else ""
    return value.encode() if isinstance(value, str) else value


def holds(value: datetime, time: TimeFilter) -> bool:
    """Return whether the filter lets ``value`` pass."""
    return {
        "gt": value > time.value,
        "gte": value >= time.value,
        "lt": value < time.value,
        "lte": value <= time.value,
        "eq": value == time.value,
        "neq": value != time.value,
    }[time.operator]


def is_within(value: int | None, one: RangeFilter) -> bool:
    """Return whether ``value`` is in the range, its bounds included."""
    if value is None:
        return False
    return (one.minimum is None or value >= one.minimum) and (one.maximum is None or value <= one.maximum)
