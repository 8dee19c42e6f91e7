"""Conditional requests (RFC 9110 section 13)."""

from dataclasses import replace

import testtools

from glance_mini.api.conditions import entity_tag, is_range_valid, is_unchanged
from glance_mini.domain.errors import Invalid
from glance_mini.testing.data_access.samples import sample

TAG = '"md5-1"'


class TestEntityTag(testtools.TestCase):
    def test_tag_names_the_strongest_hash(self) -> None:
        image = sample(checksum="1")
        self.assertEqual(TAG, entity_tag(image))
        self.assertEqual('"sha256-2"', entity_tag(replace(image, os_hash_algo="sha256", os_hash_value="2")))

    def test_data_without_a_known_hash_has_no_tag(self) -> None:
        self.assertIsNone(entity_tag(sample()))
        self.assertIsNone(entity_tag(sample(os_hash_algo="sha256")))


class TestConditions(testtools.TestCase):
    def test_data_without_a_tag_is_never_known_to_the_client_by_one(self) -> None:
        self.assertFalse(is_unchanged({"If-None-Match": TAG}, None))
        self.assertTrue(is_unchanged({"If-None-Match": "*"}, None))
        self.assertFalse(is_range_valid({"If-Range": TAG}, None))

    def test_a_tag_may_hold_commas(self) -> None:
        self.assertTrue(is_unchanged({"If-None-Match": '"a,b" , "md5-1"'}, TAG))
        self.assertFalse(is_unchanged({"If-None-Match": '"a,md5-1", "x"'}, TAG))

    def test_what_is_no_list_of_tags_is_refused(self) -> None:
        for header in ("", "md5-1", '"md5-1', '"a""b"', '"a",', "*, *", "'md5-1'"):
            for name in ("If-Match", "If-None-Match"):
                self.assertRaises(Invalid, lambda name=name, header=header: is_unchanged({name: header}, "md5-1"))

    def test_a_weak_tag_or_a_date_does_not_continue_a_range(self) -> None:
        self.assertTrue(is_range_valid({}, TAG))
        self.assertTrue(is_range_valid({"If-Range": f" {TAG} "}, TAG))
        for validator in (f"W/{TAG}", "Sat, 28 Nov 2026 10:00:00 GMT", "", "*"):
            self.assertFalse(is_range_valid({"If-Range": validator}, TAG), validator)
