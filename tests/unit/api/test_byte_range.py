"""Range headers (RFC 9110 section 14)."""

import testtools

from glance_mini.api.errors import MalformedRange
from glance_mini.api.v2.data import WHOLE, parse_byte_range
from glance_mini.domain.errors import Invalid


class TestByteRange(testtools.TestCase):
    def test_without_headers_everything_is_wanted(self) -> None:
        self.assertIs(WHOLE, parse_byte_range(None, None))

    def test_good_ranges(self) -> None:
        for header, expected in (
            ("bytes=0-0", (0, 0)),
            ("bytes=5-9", (5, 9)),
            ("bytes=5-", (5, None)),
            ("bytes=-5", (None, 5)),
            (" bytes=5-9 ", (5, 9)),
        ):
            with self.subTest(header):
                self.assertEqual(expected, parse_byte_range(header, None))

    def test_bad_ranges(self) -> None:
        bad = ("", "bytes", "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=1-2x", "bytes =1-2")
        for header in bad:
            with self.subTest(header):
                self.assertRaises(MalformedRange, parse_byte_range, header, None)

    def test_several_ranges_are_not_served(self) -> None:
        self.assertRaises(Invalid, parse_byte_range, "bytes=1-2,4-5", None)

    def test_the_historic_header(self) -> None:
        self.assertEqual((2, 4), parse_byte_range(None, "bytes 2-4/*"))
        self.assertEqual((2, 4), parse_byte_range(None, "bytes 2-4/10"))
        self.assertEqual((0, 1), parse_byte_range("bytes=0-1", "bytes 2-4/10"))
        for header in ("bytes 4-2/*", "bytes 2-/*", "bytes=2-4", "2-4/*", ""):
            with self.subTest(header):
                self.assertRaises(MalformedRange, parse_byte_range, None, header)
