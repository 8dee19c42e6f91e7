"""How classes are shared out to processes, and what is recorded of a run."""

import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import testtools

from tests.durations import (
    RECORD,
    UNKNOWN,
    expected_seconds,
    measured_seconds,
    refreshed,
    shares,
    test_classes,
    test_modules,
    worker_file,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def ran(test_id, begin, end, process="worker-0"):
    """Return a test as a stream tells it; times are seconds."""
    times = [BEGIN + timedelta(seconds=each) for each in (begin, end)]
    return {"id": test_id, "timestamps": times, "tags": {process}}


class SharesTest(testtools.TestCase):
    def test_longest_come_first_and_go_where_least_is_to_do(self):
        seconds = {"a.A": 9, "a.B": 5, "a.C": 4, "a.D": 1, "a.E": 1}
        self.assertEqual([["a.A", "a.D"], ["a.B", "a.C", "a.E"]], shares(seconds, 2))

    def test_each_test_runs_in_one_process_whether_its_class_is_known_or_not(self):
        text = worker_file([["a.A", "a.B"], ["a.AB"], []])
        workers = [worker["worker"] for worker in json.loads(text)]
        found = {}
        for test in ("a.A.test_x", "a.B.test_x(a.AB.y)", "a.AB.test_x", "b.New.test_x"):
            found[test] = [number for number, worker in enumerate(workers) if any(re.search(p, test) for p in worker)]
        self.assertEqual([[0], [0], [1], [2]], list(found.values()))

    def test_what_is_left_out_takes_no_time(self):
        recorded = {"tests.unit.A": 4, "tests.http.B": 2}
        classes = [*recorded, "tests.unit.C"]
        filtered = SimpleNamespace(filters=["tests.unit"], exclude_regex="A$|A[.]")
        self.assertEqual([0, 0, UNKNOWN], list(expected_seconds(recorded, classes, filtered).values()))
        everything = SimpleNamespace(filters=[], exclude_regex=None)
        self.assertEqual([4, 2, UNKNOWN], list(expected_seconds(recorded, classes, everything).values()))

    def test_only_integration_tests_take_time_where_all_others_are_left_out(self):
        recorded = {"tests.integration.test_a.A": 4, "tests.unit.B": 2}
        arguments = SimpleNamespace(filters=[], exclude_regex=r"^(?!tests\.integration\.)")
        classes = [*recorded, "tests.integration.test_a.New"]
        self.assertEqual([4, 0, UNKNOWN], list(expected_seconds(recorded, classes, arguments).values()))
        filtered = SimpleNamespace(filters=["New"], exclude_regex=arguments.exclude_regex)
        self.assertEqual([0, 0, UNKNOWN], list(expected_seconds(recorded, classes, filtered).values()))

    def test_classes_of_this_repository_are_found(self):
        modules = test_modules(RECORD.parent)
        self.assertIn("tests.unit.test_durations.SharesTest", modules["tests.unit.test_durations"])
        classes = test_classes(modules, ["tests.gone.A", "tests.unit.test_durations.Made"])
        self.assertEqual(1, classes.count("tests.unit.test_durations.SharesTest"))
        self.assertEqual("tests.unit.test_durations.Made", classes[-1])
        self.assertNotIn("tests.gone.A", classes)


class RecordTest(testtools.TestCase):
    def test_seconds_of_a_class_have_its_preparation_in_them(self):
        tests = [
            ran("m.A.test_1", 0, 1),
            ran("m.B.test_1(m.x)", 4, 5),
            ran("m.B.test_2", 5, 6),
            ran("n.C.test_1", 1, 3, "worker-1"),
        ]
        self.assertEqual({"m.A": 1, "m.B": 5, "n.C": 2}, measured_seconds(tests))

    def test_record_keeps_what_was_not_measured_and_still_exists(self):
        recorded = {"m.Old": 3, "m.Gone": 3, "m.Faster": 3, "n.Made": 3, "o.OfTheOtherRun": 3, "gone.A": 3}
        measured = {"m.New": 1.26, "m.Faster": 0.2, "m.Made": 2, "elsewhere.B": 4}
        modules = {"m": ["m.Old", "m.New", "m.Faster"], "n": [], "o": ["o.OfTheOtherRun"]}
        expected = {"m.Made": 2, "m.New": 1.3, "m.Old": 3, "n.Made": 3, "o.OfTheOtherRun": 3}
        self.assertEqual(expected, refreshed(recorded, measured, modules))
