"""The manual lists every operation and every type of change with all fields."""

import importlib.util
import typing
from dataclasses import fields

import testtools

from glance_mini.domain.changes import Change
from glance_mini.operations import OPERATIONS
from tests.unit.guides.printed import ROOT


class TestOperationTables(testtools.TestCase):
    def setUp(self):
        super().setUp()
        spec = importlib.util.spec_from_file_location("operation_tables", ROOT / "doc/source/operation_tables.py")
        self.tables = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.tables)

    def test_every_operation_is_listed_with_its_fields(self):
        listed = {title: shown for choice in ("public", "internal") for title, _, shown in self.tables.entries(choice)}
        self.assertEqual(len(OPERATIONS), len(listed))
        for operation in OPERATIONS:
            shown = listed[f"{operation.name} ({operation.__name__})"]
            for field in fields(operation):
                self.assertIn(f"``{field.name}: ", shown)

    def test_every_change_is_listed_with_its_fields(self):
        found = list(self.tables.entries("changes"))
        self.assertEqual([each.__name__ for each in typing.get_args(Change)], [title for title, _, _ in found])
        self.assertIn("``tag: str``", found[1][2])
        self.assertIn("``position: int | None`` (optional)", found[2][2])

    def test_all_have_a_description(self):
        for choice in ("public", "internal", "changes"):
            for title, text, _ in self.tables.entries(choice):
                self.assertTrue(text.endswith((".", ":")), (title, text))
