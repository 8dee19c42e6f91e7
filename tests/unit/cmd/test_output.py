"""One way to print: tables, JSON and CSV of the same result."""

import csv
import io
import json
from datetime import datetime, timedelta

import fixtures
import testtools

from glance_mini.cmd.output import Record, Rows, print_result

TIME = datetime(2026, 1, 2, 3, 4, 5)
ROWS = Rows(("id", "name", "roles", "since"), [(1, "a b", ("x", "y"), TIME), (22, None, (), None)])
NESTED = Record(
    {"name": "ann", "password": True, "projects": {"lab": ("x", "y")}, "tokens": ({"name": "a"}, {"name": "b"})}
)


class OutputTest(testtools.TestCase):
    def printed(self, result, form):
        out = io.StringIO()
        with fixtures.MonkeyPatch("sys.stdout", out):
            print_result(result, form)
        return out.getvalue()

    def test_table_is_aligned_and_has_its_head_in_capitals(self):
        expected = [
            "ID  NAME  ROLES  SINCE",
            "1   a b   x,y    2026-01-02T03:04:05Z",
            "22",
        ]
        self.assertEqual(expected, self.printed(ROWS, "table").splitlines())

    def test_json_keeps_types(self):
        first, second = json.loads(self.printed(ROWS, "json"))
        self.assertEqual({"id": 1, "name": "a b", "roles": ["x", "y"], "since": "2026-01-02T03:04:05Z"}, first)
        self.assertEqual({"id": 22, "name": None, "roles": [], "since": None}, second)

    def test_csv_has_a_head_and_a_line_for_each_row(self):
        found = list(csv.reader(io.StringIO(self.printed(ROWS, "csv"))))
        self.assertEqual(
            [["id", "name", "roles", "since"], ["1", "a b", "x,y", "2026-01-02T03:04:05Z"], ["22", "", "", ""]], found
        )

    def test_single_value_stands_alone_in_a_table(self):
        record = Record({"token": "abc"})
        self.assertEqual("abc\n", self.printed(record, "table"))
        self.assertEqual({"token": "abc"}, json.loads(self.printed(record, "json")))
        self.assertEqual("token\nabc\n", self.printed(record, "csv"))

    def test_nothing_is_nothing_in_a_table_and_an_empty_object_in_json(self):
        self.assertEqual("", self.printed(Record({}), "table"))
        self.assertEqual({}, json.loads(self.printed(Record({}), "json")))

    def test_record_with_nested_values(self):
        expected = [
            "FIELD     VALUE",
            "name      ann",
            "password  yes",
            "projects  lab: x,y",
            "tokens    name: a",
            "tokens    name: b",
        ]
        self.assertEqual(expected, self.printed(NESTED, "table").splitlines())
        self.assertEqual([{"name": "a"}, {"name": "b"}], json.loads(self.printed(NESTED, "json"))["tokens"])
        [head, line] = csv.reader(io.StringIO(self.printed(NESTED, "csv")))
        self.assertEqual({"lab": ["x", "y"]}, json.loads(line[head.index("projects")]))

    def test_name_cannot_control_the_terminal(self):
        rows = Rows(("name",), [("a\x1b[2Jb\nc",)])
        self.assertEqual("NAME\na?[2Jb?c\n", self.printed(rows, "table"))
        self.assertEqual([{"name": "a\x1b[2Jb\nc"}], json.loads(self.printed(rows, "json")))

    def test_other_values_are_text(self):
        self.assertEqual("1:00:00\n", self.printed(Record({"keep": timedelta(hours=1)}), "table"))
