"""What CI makes of tests that fail: the real runner on small projects, whose tests fail as the case says."""

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import fixtures
import testtools

ROOT = Path(__file__).parents[2]
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
DYING = """
    def test_dying(self):
        first_time("died") and os._exit(1)

    def test_later(self):
        pass
"""


def moody(*names):
    """Return tests that fail once."""
    return "".join(f"\n    def test_{name}(self):\n        self.assertFalse(first_time('{name}'))\n" for name in names)


class CiTest(testtools.TestCase):
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

    def count(self, first=0):
        """Return exit code and lines of the count."""
        return self.call(".ci/count.py", ".", str(first))

    def write(self, *parts):
        """Let the project have a module with these parts."""
        (self.folder / "cases" / "test_it.py").write_text(MODULE + "".join(parts))

    def test_what_passes_alone_is_flaky_and_counted_as_passed(self):
        self.write(moody("moody"))
        self.assertEqual(0, self.run_again())
        lines = ["FLAKY test_it.Case.test_moody", "1 flaky, at most 2 may be", "1 skipped", "2 passed, 0 failed"]
        self.assertEqual((0, lines), self.count())

    def test_what_fails_twice_has_failed(self):
        self.write(BAD)
        self.assertEqual(1, self.run_again())
        self.assertEqual((1, ["1 skipped", "1 passed, 1 failed"]), self.count())

    def test_more_than_two_flaky_tests_fail_the_run(self):
        self.write(moody("one", "two", "three"))
        self.assertEqual(0, self.run_again())
        code, lines = self.count()
        self.assertEqual((1, "4 passed, 0 failed"), (code, lines[-1]))
        self.assertIn("3 flaky, at most 2 may be", lines)

    def test_class_that_cannot_begin_or_end_runs_once_more(self):
        self.write(BROKEN_FIXTURES)
        self.assertEqual(0, self.run_again())
        code, lines = self.count()
        self.assertEqual((0, "4 passed, 0 failed"), (code, lines[-1]))
        self.assertEqual(["FLAKY setUpClass (test_it.Begin)", "FLAKY tearDownClass (test_it.End)"], sorted(lines[:2]))

    def test_tests_that_a_dying_process_did_not_reach_run_once_more(self):
        self.write(DYING)
        self.assertEqual(0, self.run_again("--serial"))
        code, lines = self.count()
        self.assertEqual((0, "FLAKY test_it.Case.test_dying", "3 passed, 0 failed"), (code, lines[0], lines[-1]))

    def test_only_what_was_asked_for_runs_once_more(self):
        self.write(moody("moody"), BAD)
        self.assertEqual(0, self.run_again("--exclude-regex", "bad", "Case"))
        self.assertEqual("2 passed, 0 failed", self.count()[1][-1])

    def test_nothing_runs_once_more_where_nothing_failed_and_each_run_is_counted(self):
        self.write()
        self.assertEqual((0, 0), (self.run_again(), self.run_again("test_good")))
        self.assertEqual((0, ["1 skipped", "2 passed, 0 failed"]), self.count())
        self.assertEqual((0, ["1 passed, 0 failed"]), self.count(first=1))

    def test_nothing_that_ran_is_no_success(self):
        self.assertEqual((1, ["0 passed, 0 failed"]), self.count())
        self.write(indent(dedent("this is no Python"), " "))
        self.assertNotEqual(0, self.run_again())
        self.assertEqual((1, ["0 passed, 0 failed"]), self.count())
