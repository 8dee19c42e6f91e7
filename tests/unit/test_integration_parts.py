"""The parts of the integration tests: which there are, which services they have, what the test runner is told."""

import os
import re
import subprocess
import unittest
from pathlib import Path

import testtools
from fixtures import EnvironmentVariable

from tests.integration.base import ServiceTestCase

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "tests" / "integration"
SERVICES = INTEGRATION / "services"
PARTS = ["storage", "databases", "messaging", "clients", "registry", "page", "packages"]
SKIP = re.compile(r"skipTest|skipIf|skipUnless|SkipTest|skipException|\.skip\(")
NAMED_SERVICE = re.compile(r'\.(?:service|fresh_database)\("(\w+)"\)')


def words(*command: str | Path, **environment: str) -> list[str]:
    """Return the words that the command prints; fails with its error output."""
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=inherited | environment)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.split()


class PartsTest(testtools.TestCase):
    def test_all_parts_are_taken_where_none_is_named(self):
        self.assertEqual(PARTS, words("bash", SERVICES / "all", "parts"))
        self.assertEqual(PARTS, words("bash", SERVICES / "all", "parts", "test_faults", "--serial"))

    def test_named_parts_are_found_among_other_words(self):
        self.assertEqual(["clients", "storage"], words("bash", SERVICES / "all", "parts", "clients", "x", "storage"))

    def test_each_test_stands_in_a_part(self):
        places = {path.relative_to(INTEGRATION).parts[0] for path in INTEGRATION.rglob("test_*.py")}
        self.assertEqual(set(), places - set(PARTS))

    def test_each_service_has_a_script_and_each_script_a_part(self):
        scripts = {path.name for path in SERVICES.iterdir() if path.is_file() and not path.suffix} - {"all", "_lib.sh"}
        self.assertEqual(scripts, set(words("bash", SERVICES / "all", "names")))

    def test_a_part_has_the_services_that_its_tests_name(self):
        for part in PARTS:
            sources = [path.read_text(encoding="utf-8") for path in (INTEGRATION / part).rglob("*.py")]
            named = {name for source in sources for name in NAMED_SERVICE.findall(source)}
            self.assertEqual(set(), named - set(words("bash", SERVICES / "all", "names", part)), part)


class MissingTest(testtools.TestCase):
    def test_what_is_missing_fails_in_ci_and_is_skipped_elsewhere(self):
        case = ServiceTestCase("id")
        for value, ends in (("true", AssertionError), ("", unittest.SkipTest), (None, unittest.SkipTest)):
            with EnvironmentVariable("CI", value):
                error = self.assertRaises(ends, case.lacks, "the modules are missing")
            self.assertEqual("the modules are missing", str(error))

    def test_only_lacks_skips_for_what_is_missing(self):
        skipping = {
            str(path.relative_to(INTEGRATION))
            for path in INTEGRATION.rglob("*.py")
            if SKIP.search(path.read_text(encoding="utf-8"))
        }
        # In the driver contract of S3 a skip says what a service cannot do.
        self.assertEqual({"base.py", "storage/test_s3.py"}, skipping)


class RunTest(testtools.TestCase):
    def handed_on(self, *chosen: str) -> list[str]:
        """Return the words that the test runner gets for the ``chosen`` ones."""
        return words("bash", INTEGRATION / "run", os.devnull, *chosen, STESTR="'echo' run-by")

    def test_a_part_is_all_that_runs(self):
        place, share = ["--test-path", "tests/integration"], ["--worker-file", os.devnull]
        only = ["--exclude-regex", r"^(?!tests\.integration\.(clients)\.)"]
        self.assertEqual(["run-by", *place, "run", *share, *only], self.handed_on("clients"))

    def test_names_of_tests_choose_among_those_of_the_parts(self):
        self.assertEqual(
            [r"^(?!tests\.integration\.(clients|storage)\.)", "test_limits", "--serial"],
            self.handed_on("clients", "test_limits", "storage", "--serial")[-3:],
        )

    def test_without_a_part_names_choose_among_all(self):
        self.assertEqual(
            [r"^(?!tests\.integration\.(storage|databases|messaging|clients|registry|page|packages)\.)", "test_killed"],
            self.handed_on("test_killed")[-2:],
        )
