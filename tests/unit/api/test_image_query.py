"""The query of a list as a value. What the filters find is tested over HTTP."""

from datetime import datetime

import testtools

from glance_mini.api.v2.image_query import parse_image_query, parse_parameters
from glance_mini.domain.errors import Invalid
from glance_mini.domain.query import ImageQuery, RangeFilter, TimeFilter


def parse(query: str) -> ImageQuery:
    return parse_image_query(parse_parameters(query), 25, 1000)


class TestSort(testtools.TestCase):
    def test_ties_are_broken_in_the_first_direction(self) -> None:
        for query, expected in (
            ("", [("created_at", "desc"), ("id", "desc")]),
            ("sort_dir=asc", [("created_at", "asc"), ("id", "asc")]),
            ("sort=name:asc", [("name", "asc"), ("created_at", "asc"), ("id", "asc")]),
            ("sort=name,size:asc", [("name", "desc"), ("size", "asc"), ("created_at", "desc"), ("id", "desc")]),
            ("sort=id:asc", [("id", "asc"), ("created_at", "asc")]),
            ("sort=created_at:asc,id:desc", [("created_at", "asc"), ("id", "desc")]),
            ("sort_key=name&sort_key=id&sort_dir=asc", [("name", "asc"), ("id", "asc"), ("created_at", "asc")]),
        ):
            with self.subTest(query):
                self.assertEqual(expected, list(parse(query).sort))

    def test_a_key_that_is_named_again_says_nothing_new(self) -> None:
        self.assertEqual(("name", "asc"), parse("sort=name:asc,name:desc").sort[0])


class TestFilters(testtools.TestCase):
    def test_a_time_without_fraction_is_the_whole_of_its_second(self) -> None:
        first, second = datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 6)
        for operator, expected in (
            ("eq:", (("gte", first), ("lt", second))),
            ("", (("gte", first), ("lt", second))),
            ("gt:", (("gte", second),)),
            ("gte:", (("gte", first),)),
            ("lt:", (("lt", first),)),
            ("lte:", (("lt", second),)),
        ):
            with self.subTest(operator):
                filters = tuple(TimeFilter("created_at", *each) for each in expected)
                self.assertEqual(filters, parse(f"created_at={operator}2026-01-02T03:04:05Z").times)

    def test_a_time_with_a_fraction_is_meant_exactly(self) -> None:
        time = datetime(2026, 1, 2, 3, 4, 5, 500000)
        self.assertEqual((TimeFilter("updated_at", "lte", time),), parse("updated_at=lte:2026-01-02T03:04:05.5Z").times)

    def test_a_zone_is_taken_into_account(self) -> None:
        query = parse("created_at=gte:2026-01-02T03:04:05.5%2B02:00")
        self.assertEqual(datetime(2026, 1, 2, 1, 4, 5, 500000), query.times[0].value)

    def test_quoted_items_of_a_list(self) -> None:
        for text, expected in (
            ("a,b", ("a", "b")),
            ('"a,b",c', ("a,b", "c")),
            ('"say \\"hi\\""', ('say "hi"',)),
            ("", ("",)),
            (",", ("",)),
            ("a,", ("a", "")),
            ('""', ("",)),
            ("a,a", ("a",)),
            ("a b", ("a b",)),
            ('"back\\\\slash"', ("back\\\\slash",)),
        ):
            with self.subTest(text):
                query = parse_image_query([("name", f"in:{text}")], 25, 1000)
                self.assertEqual(expected, query.one_of["name"])

    def test_what_is_no_filter_of_its_own_is_a_custom_property(self) -> None:
        query = parse("os_distro=suse&limit=3&deleted=true&empty=")
        self.assertEqual({"os_distro": "suse", "empty": ""}, query.properties)
        self.assertEqual(3, query.limit)

    def test_bounds_are_ranges(self) -> None:
        query = parse("size_min=5&min_ram_max=7")
        self.assertEqual((RangeFilter("size", minimum=5), RangeFilter("min_ram", maximum=7)), query.ranges)

    def test_the_last_of_repeated_parameters_counts_but_all_tags_do(self) -> None:
        query = parse("name=a&name=b&tag=x&tag=y&tag=x")
        self.assertEqual(("b",), query.one_of["name"])
        self.assertEqual(("x", "y"), query.tags)

    def test_too_many_parameters_are_refused(self) -> None:
        self.assertRaises(Invalid, parse_parameters, "&".join(f"a{n}=1" for n in range(201)))
