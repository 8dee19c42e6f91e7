"""Byte ranges of a download (RFC 9110 section 14)."""

import testtools

from glance_mini.domain.errors import RangeNotSatisfiable
from glance_mini.layers.location.layer import resolve_range


class TestRanges(testtools.TestCase):
    def test_what_can_be_served_becomes_offset_and_length(self) -> None:
        table = {
            (None, None, 10): (0, 10),
            (None, None, 0): (0, 0),
            (0, 9, 10): (0, 10),
            (0, 0, 10): (0, 1),
            (3, 5, 10): (3, 3),
            (9, 9, 10): (9, 1),
            (4, None, 10): (4, 6),
            (9, None, 10): (9, 1),
            (4, 10, 10): (4, 6),
            (4, 10**30, 10): (4, 6),
            (None, 1, 10): (9, 1),
            (None, 10, 10): (0, 10),
            (None, 11, 10): (0, 10),
            (None, 10**30, 10): (0, 10),
        }
        for (first, last, size), expected in table.items():
            self.assertEqual(expected, resolve_range(first, last, size), (first, last, size))

    def test_what_lies_beyond_or_is_empty_is_refused_with_the_size(self) -> None:
        of_ten = [(10, None), (10, 12), (11, None), (5, 2), (None, 0)]
        of_nothing = [(0, 0), (0, None), (None, 5)]
        table = [(10, *each) for each in of_ten] + [(0, *each) for each in of_nothing]
        for size, first, last in table:
            error = self.assertRaises(RangeNotSatisfiable, resolve_range, first, last, size)
            self.assertEqual(size, error.values["size"])
