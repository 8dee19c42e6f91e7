"""The driver that the guide prints passes the suite that the guide prints, and works in a store."""

import os
import subprocess
import sys
from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from tests.unit.guides.printed import ROOT, printed

PAGE = "store-drivers.rst"

USE_IT = """
import sys
from oslo_config import cfg
from glance_mini_store.stores import Stores

conf = cfg.ConfigOpts()
conf(["--config-file", sys.argv[1]])
stores = Stores.from_config(conf)
kept = stores.get("shelf").write("first", [b"0123", b"456789"])
found = stores.for_location(kept.location)
print(kept.location, found.id, found.type, b"".join(found.read(kept.location, 3, 4)).decode())
"""


class TestStoreDriverGuide(TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(TempDir()).path)
        self.driver, self.suite = printed(PAGE, "python")
        for text in (self.driver, self.suite):
            self.write(text.splitlines()[0].removeprefix("# "), text)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name

    def run_there(self, *arguments):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}"}
        command = [sys.executable, "-W", "ignore", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def test_suite_passes_as_printed(self):
        done = self.run_there("-m", "unittest", "test_acme_shelf")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r"Ran 5\d tests in")

    def test_driver_is_found_by_its_entry_point_and_configured_as_printed(self):
        setup, configuration = printed(PAGE, "ini")
        [section] = setup.split("[options.entry_points]\n")[1:]
        group, target = (line.strip() for line in section.strip().split("\n"))
        package = self.folder / "acme_shelf-1.0.0.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-shelf\nVersion: 1.0.0\n")
        (package / "entry_points.txt").write_text(f"[{group.removesuffix(' =')}]\n{target}\n")
        self.write("stores.conf", configuration.replace("/srv/", f"{self.folder}/"))
        done = self.run_there(self.write("use_it.py", USE_IT), "stores.conf")
        self.assertEqual((0, "acme-shelf://shelf/first shelf acme-shelf 3456\n"), (done.returncode, done.stdout))
        self.assertEqual(b"0123456789", (self.folder / "shelf" / "first").read_bytes())
