"""Sizes as operators write them (api-quotas)."""

import testtools

from glance_mini.domain.units import parse_size


class TestSizes(testtools.TestCase):
    def test_units_are_powers_of_1024(self):
        table = {
            "0": 0,
            "7": 7,
            "7B": 7,
            "7KB": 7 * 1024,
            "7MB": 7 * 1024**2,
            "7GB": 7 * 1024**3,
            "7TB": 7 * 1024**4,
        }
        for text, size in table.items():
            self.assertEqual(size, parse_size(text), text)

    def test_case_and_spaces_do_not_matter(self):
        self.assertEqual(2 * 1024**3, parse_size(" 2 gb "))

    def test_what_is_no_size_is_refused_by_its_text(self):
        for text in ("", "GB", "-1", "+1", "1.5GB", "1PB", "1K", "1 GB B", "1_000", "٣"):
            error = self.assertRaises(ValueError, parse_size, text)
            self.assertIn(f"'{text}'", str(error))
