"""What CI makes of tests that fail: how they are counted, and that they run once more."""

import importlib.util
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path

import fixtures
import testtools
from stestr.repository.file import RepositoryFactory

ROOT = Path(__file__).parents[2]
BEGIN = "setUpClass (m.Case)"
MODULE = """
import os, pathlib, unittest

def first_time(name):
    path = pathlib.Path(__file__).with_name(name)
    is_first = not path.exists()
    path.touch()
    return is_first

class Case(unittest.TestCase):
    def test_good(self):
        pass

    @unittest.skip("for the count")
    def test_skipped(self):
        pass
"""
BAD = """
    def test_bad(self):
        self.fail("always")
"""
BROKEN_FIXTURES = """
class Begin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert not first_time("begin")

    def test_one(self):
        pass

    def test_two(self):
        pass

class End(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        assert not first_time("end")

    def test_three(self):
        pass
"""
BAD_ELSEWHERE = """
class Bad(unittest.TestCase):
    def test_bad(self):
        self.fail("always")
"""
FLAKY = [
    "FLAKY setUpClass (test_it.Begin)",
    "FLAKY tearDownClass (test_it.End)",
    "FLAKY test_it.Case.test_moody",
    "FLAKY test_it.Last.test_dying",
]
DYING_LAST = """
class Last(unittest.TestCase):
    def test_dying(self):
        first_time("died") and os._exit(1)

    def test_later(self):
        pass
"""


def moody(*names):
    """Return tests that fail once."""
    return "".join(f"\n    def test_{name}(self):\n        self.assertFalse(first_time('{name}'))\n" for name in names)


def load(name):
    """Return a program of CI as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class CountTest(testtools.TestCase):
    """Streams of results as the runner keeps them."""

    def setUp(self):
        super().setUp()
        self.count = load("count")
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.repository = RepositoryFactory().initialise(str(self.folder))

    def run_was(self, *events, repeats=False):
        """Keep a run in which tests had these statuses, in this order; ``repeats`` the one before."""
        if repeats:
            with open(self.folder / self.count.REPEATED, "a", encoding="utf-8") as noted:
                noted.write(f"{self.repository.count()}\n")
        kept = self.repository.get_inserter()
        kept.startTestRun()
        for name, status in events:
            kept.status(test_id=name, test_status=status)
        kept.stopTestRun()

    def assert_counted(self, code, *lines, first=0):
        """Fail unless the count from the run ``first`` on exits with that code and says that."""
        with redirect_stdout(TextIOWrapper(BytesIO(), write_through=True)) as printed:
            found = self.count.main(str(self.folder), str(first))
        said = printed.buffer.getvalue().decode().splitlines()
        self.assertEqual((code, list(lines)), (found, [line for line in said if not line.startswith(self.count.SHOWN)]))

    def test_all_runs_from_the_first_one_on_are_counted(self):
        self.run_was(("m.Case.test_a", "fail"))
        self.run_was(("m.Case.test_a", "success"), ("m.Case.test_b", "skip"))
        self.run_was(("m.Case.test_a", "success"), ("m.Case.test_c", "xfail"))
        self.assert_counted(0, "1 skipped", "3 passed, 0 failed", first=1)
        self.assert_counted(1, "FAILED m.Case.test_a", "1 skipped", "3 passed, 1 failed")

    def test_what_began_and_never_ended_or_should_have_failed_has_failed(self):
        self.run_was(("m.Case.test_a", "success"), ("m.Case.test_b", "uxsuccess"), ("m.Case.test_c", "inprogress"))
        self.assert_counted(1, "FAILED m.Case.test_b", "FAILED m.Case.test_c", "1 passed, 2 failed")

    def test_what_passed_when_it_was_repeated_is_flaky_and_has_passed(self):
        self.run_was(("m.Case.test_a", "success"), ("m.Case.test_b", "fail"), ("m.Case.test_c", "fail"))
        self.run_was(("m.Case.test_b", "success"), ("m.Case.test_c", "fail"), repeats=True)
        named = ("FAILED m.Case.test_c", "FLAKY m.Case.test_b")
        self.assert_counted(1, *named, "1 flaky, at most 2 may be", "2 passed, 1 failed")

    def test_two_flaky_ones_are_let_pass_and_three_of_all_runs_are_not(self):
        for name in "ab":
            self.run_was((f"m.Case.test_{name}", "fail"))
            self.run_was((f"m.Case.test_{name}", "success"), repeats=True)
        flaky = ("FLAKY m.Case.test_a", "FLAKY m.Case.test_b")
        self.assert_counted(0, *flaky, "2 flaky, at most 2 may be", "2 passed, 0 failed")
        self.run_was(("m.Case.test_c", "fail"))
        self.run_was(("m.Case.test_c", "success"), repeats=True)
        self.assert_counted(1, *flaky, "FLAKY m.Case.test_c", "3 flaky, at most 2 may be", "3 passed, 0 failed")

    def test_class_that_could_not_begin_is_one_flaky_thing_and_no_test(self):
        self.run_was((BEGIN, "fail"), ("m.Other.test_a", "success"))
        self.run_was(("m.Case.test_a", "success"), ("m.Case.test_b", "success"), repeats=True)
        self.assert_counted(0, f"FLAKY {BEGIN}", "1 flaky, at most 2 may be", "3 passed, 0 failed")

    def test_class_that_can_never_begin_has_failed(self):
        self.run_was((BEGIN, "fail"))
        self.run_was((BEGIN, "fail"), repeats=True)
        self.assert_counted(1, f"FAILED {BEGIN}", "0 passed, 1 failed")

    def test_failure_that_the_repetition_did_not_reach_stays_one(self):
        self.run_was(("m.Case.test_a", "fail"), (BEGIN, "fail"))
        self.run_was(("m.Other.test_b", "success"), repeats=True)
        self.assert_counted(1, "FAILED m.Case.test_a", f"FAILED {BEGIN}", "1 passed, 2 failed")

    def test_nothing_that_ran_is_no_success(self):
        self.assert_counted(1, "0 passed, 0 failed")
        shutil.rmtree(self.folder / ".stestr")
        self.assert_counted(1, "0 passed, 0 failed")


class AgainTest(testtools.TestCase):
    """The real runner on small projects, whose tests fail as the case says."""

    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        shutil.copytree(ROOT / ".ci", self.folder / ".ci", ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "cases").mkdir()
        (self.folder / "elsewhere").mkdir()
        self.place = ("--repo-url", str(self.folder), "--top-dir", str(self.folder / "cases"))
        self.place += ("--test-path", str(self.folder / "cases"))

    def call(self, *words, where="."):
        """Return exit code and output of a program of CI."""
        command = [sys.executable, *words]
        where = self.folder / where
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120, check=False)
        self.addDetail(" ".join(words), testtools.content.text_content(done.stdout + done.stderr))
        return done.returncode, done.stdout.splitlines()

    def run_again(self, *chosen):
        """Return the exit code of the tests, which run from another directory, as tox may have it."""
        return self.call(str(self.folder / ".ci" / "again.py"), *self.place, "run", *chosen, where="elsewhere")[0]

    def count(self):
        """Return exit code and lines of the count, and the lines that show why tests failed."""
        code, lines = self.call(".ci/count.py", ".", "0")
        shown = [line for line in lines if line.startswith("| ")]
        return code, [line for line in lines if line not in shown], shown

    def write(self, *parts):
        """Let the project have a module with these parts."""
        (self.folder / "cases" / "test_it.py").write_text(MODULE + "".join(parts))

    def test_what_did_not_pass_runs_once_more_and_only_that(self):
        self.write(moody("moody"), BROKEN_FIXTURES, BAD_ELSEWHERE, DYING_LAST)
        self.assertEqual(0, self.run_again("--serial", "--exclude-regex", "Bad"))
        code, lines, _ = self.count()
        self.assertEqual(FLAKY, sorted(lines[: len(FLAKY)]))
        self.assertEqual((1, ["4 flaky, at most 2 may be", "1 skipped", "7 passed, 0 failed"]), (code, lines[4:]))

    def test_what_fails_twice_or_is_no_test_has_failed(self):
        self.write(BAD)
        self.assertEqual(1, self.run_again())
        code, lines, shown = self.count()
        self.assertEqual((1, ["FAILED test_it.Case.test_bad", "1 skipped", "1 passed, 1 failed"]), (code, lines))
        self.assertEqual(("| test_it.Case.test_bad", "| AssertionError: always"), (shown[0], shown[-1]))
        self.write("this is no Python")
        self.assertNotEqual(0, self.run_again())
