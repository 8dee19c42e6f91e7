"""What the tests of `packaging/` have in common."""

import subprocess
from pathlib import Path

from tests.integration.base import ServiceTestCase

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"


class PackagingCase(ServiceTestCase):
    """Has the directory of the ``tools`` from PyPI, and ``clean``, a Debian in a folder."""

    def setUp(self):
        super().setUp()
        found = self.service("packaging_tools")
        self.tools = Path(found["TEST_PACKAGING_TOOLS"])
        self.clean = Path(found["TEST_CLEAN_DEBIAN"])

    def run_program(self, *words, **arguments):
        """Return what a program printed; the test fails if it did."""
        line = [str(word) for word in words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=480, check=False, **arguments)
        self.assertEqual(0, done.returncode, f"{line}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr
