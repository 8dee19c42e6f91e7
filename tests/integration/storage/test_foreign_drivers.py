"""The package ``glance_store`` beside this one: its drivers work here, and its programs run on this library.

The package is installed into an environment that is made once and kept, like those of old clients. Without a package
index the tests are skipped; in CI that is a failure.
"""

import json
import subprocess
import sys
from pathlib import Path

import fixtures

from tests.integration.base import ServiceTestCase
from tests.integration.old_clients import ClientRelease

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(__file__).parent / "foreign"
RELEASE = "glance_store>=4.8,<6"


class ForeignTest(ServiceTestCase):
    def setUp(self):
        super().setUp()
        try:
            environment = self.useFixture(ClientRelease(RELEASE, "-e", str(ROOT)))
        except Exception as error:
            self.lacks(f"{RELEASE} is missing: {error}")
        self.python = environment.program.parent / "python"
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)

    def run_there(self, program, *arguments):
        command = [str(self.python), "-W", "ignore", str(PROGRAMS / program), *map(str, arguments)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)

    def test_file_and_http_drivers_pass_the_contract(self):
        done = self.run_there("driver_suite.py")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r"Ran \d+ tests(.|\n)*OK \(skipped=\d+, expected failures=1\)")

    def test_one_program_gets_the_same_answers_from_both_libraries(self):
        for kind in ("single", "multi"):
            answers = []
            for library in ("glance_store", "glance_mini_store.compat"):
                folder = self.folder / kind / library
                folder.mkdir(parents=True)
                done = self.run_there("same_program.py", library, folder, kind)
                self.assertEqual(0, done.returncode, done.stderr)
                answers.append([json.loads(line) for line in done.stdout.splitlines()])
            self.assertGreater(len(answers[0]), 25)
            self.assertEqual(*answers)

    def test_stores_of_both_kinds_work_side_by_side_in_the_service(self):
        done = self.run_there("side_by_side.py", self.folder)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(["moved", "ranges", "deleted", "unknown option"], done.stdout.split("\n")[:-1])

    def test_this_package_is_the_one_of_the_checkout(self):
        code = "import glance_mini_store; print(glance_mini_store.__file__)"
        done = subprocess.run([str(self.python), "-c", code], cwd="/", capture_output=True, text=True, check=True)
        self.assertEqual(ROOT, Path(done.stdout.strip()).parents[1])
        self.assertNotEqual(sys.prefix, str(self.python.parents[1]))
