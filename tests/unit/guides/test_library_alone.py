"""The storage library needs nothing of the service, and the program of its page runs as printed."""

import subprocess
import sys
from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from tests.unit.guides.printed import ROOT, printed

PAGE = "using-the-library.rst"

WITHOUT_THE_SERVICE = """
import runpy
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "glance_mini":
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

IMPORT_ALL = """
import importlib
import pkgutil
import sys

import glance_mini_store

for module in pkgutil.walk_packages(glance_mini_store.__path__, "glance_mini_store."):
    importlib.import_module(module.name)
    print(module.name)
sys.exit("glance_mini" in sys.modules)
"""


class TestAlone(TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(TempDir()).path)

    def run_alone(self, *arguments):
        """Run a program where nothing of the service can be imported; fail unless it succeeds."""
        command = [sys.executable, "-W", "ignore", "-c", WITHOUT_THE_SERVICE, *map(str, arguments)]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name

    def test_every_module_of_the_library_is_imported_without_the_service(self):
        found = self.run_alone(self.write("everything.py", IMPORT_ALL)).split()
        self.assertIn("glance_mini_store.compat.multi_backend", found)
        self.assertIn("glance_mini_store.drivers.file.driver", found)

    def test_program_of_the_page_stores_and_reads_a_file(self):
        [program] = printed(PAGE, "python")
        [configuration] = printed(PAGE, "ini")
        [session] = printed(PAGE, "console")
        self.assertLess(len(program.splitlines()), 26)
        directory = str(self.folder / "data")
        self.write("stores.conf", configuration.replace("/srv/data", directory))
        self.write("letter.txt", "hello world\n")
        command, _, output = session.partition("\n")
        self.assertEqual("$ python keep.py stores.conf letter.txt", command)
        found = self.run_alone(self.write("keep.py", program), "stores.conf", "letter.txt")
        self.assertEqual(output, found.replace(directory, "/srv/data"))
        self.assertEqual([], list((self.folder / "data").iterdir()))
