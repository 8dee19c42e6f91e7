"""Which status may follow which (api-images-statuses)."""

import testtools

from glance_mini.domain.errors import Invalid, StatusConflict
from glance_mini.domain.status import STATUSES, check_formats, check_transition
from glance_mini.testing.samples import make_image

ALLOWED = {
    "queued": {"saving", "uploading", "importing", "active", "deleted"},
    "saving": {"active", "queued", "killed", "deleted"},
    "uploading": {"importing", "queued", "deleted"},
    "importing": {"active", "queued", "deleted"},
    "active": {"deactivated", "pending_delete", "deleted"},
    "deactivated": {"active", "pending_delete", "deleted"},
    "killed": {"deleted"},
    "pending_delete": {"deleted", "active"},
    "deleted": set(),
}
"""The table of api-images-statuses, and ``killed`` of older services."""


class TestTransitions(testtools.TestCase):
    def test_every_pair_of_statuses_is_allowed_or_refused_as_the_table_says(self) -> None:
        self.assertEqual(set(ALLOWED), set(STATUSES))
        for old in STATUSES:
            image = make_image(status=old)
            for new in STATUSES:
                if new in ALLOWED[old]:
                    check_transition(image, new)
                else:
                    error = self.assertRaises(StatusConflict, check_transition, image, new)
                    self.assertIn(f"is {old}", str(error))

    def test_a_refusal_names_the_statuses_from_which_it_would_work(self) -> None:
        error = self.assertRaises(StatusConflict, check_transition, make_image(status="active"), "saving")
        self.assertIn("needs status queued", str(error))

    def test_data_needs_both_formats(self) -> None:
        table = [
            ({"disk_format": None}, "Property disk_format must be set"),
            ({"container_format": None}, "Property container_format must be set"),
            ({"disk_format": None, "container_format": None}, "disk_format and container_format"),
        ]
        for values, text in table:
            image = make_image(status="queued", **values)
            for new in ("saving", "active", "importing"):
                self.assertIn(text, str(self.assertRaises(Invalid, check_transition, image, new)))
            for new in ("uploading", "deleted"):
                check_transition(image, new)
            self.assertIn(text, str(self.assertRaises(Invalid, check_formats, image)))

    def test_staged_data_needs_the_formats_when_its_import_begins(self) -> None:
        image = make_image(status="uploading", disk_format=None)
        self.assertRaises(Invalid, check_transition, image, "importing")
        check_transition(image, "queued")

    def test_an_image_that_has_data_is_not_asked_for_its_formats(self) -> None:
        check_transition(make_image(status="deactivated", disk_format=None), "active")
