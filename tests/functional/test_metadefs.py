"""Metadata definitions and real processes: the first start, and a load that is killed."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import fixtures
import testtools

from glance_mini.cmd.manage_metadefs import DEFAULT_FILES
from tests.functional.service import Service

NAMESPACES = 400
PARTS = 60
WAIT_SECONDS = 60


class MetadefProcessTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = self.root / "state"

    def start(self):
        """Return a process of the command on the state directory."""
        words = [sys.executable, "-m", "glance_mini.cmd.manage"]
        return lambda *more: subprocess.Popen(
            [*words, *more, "--state", str(self.state)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def manage(self, *words):
        """Run a command to its end and return what it printed; it must succeed."""
        process = self.start()(*words)
        output, _ = process.communicate(timeout=WAIT_SECONDS)
        self.assertEqual(0, process.returncode, output)
        return output.decode()

    def query(self, statement):
        """Return the rows of a statement."""
        database = sqlite3.connect(f"file:{self.state}/glance-mini.db?mode=ro", uri=True)
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def parts(self):
        """Return the number of properties of each namespace."""
        counted = "SELECT count(*) FROM metadef_properties WHERE namespace_id = n.id"
        return [count for (count,) in self.query(f"SELECT ({counted}) FROM metadef_namespaces n")]


class FirstStartTest(MetadefProcessTest):
    def test_the_default_set_is_loaded_once(self):
        service = self.useFixture(Service(self.state, "--no-worker"))
        self.assertEqual(len(list(DEFAULT_FILES.glob("*.json"))), len(self.parts()))
        service.stop()
        self.manage("db", "unload_metadefs", "--yes")
        self.useFixture(Service(self.state, "--no-worker"))
        self.assertEqual([], self.parts())


class KilledLoadTest(MetadefProcessTest):
    def test_a_killed_load_leaves_whole_namespaces_and_can_be_repeated(self):
        self.useFixture(Service(self.state, "--no-worker")).stop()
        self.manage("db", "unload_metadefs", "--yes")
        files = self.root / "files"
        files.mkdir()
        properties = {f"p{number}": {"title": "P", "type": "string"} for number in range(PARTS)}
        for number in range(NAMESPACES):
            document = {"namespace": f"n{number}", "properties": properties}
            (files / f"{number}.json").write_text(json.dumps(document))
        loading = self.start()("db", "load_metadefs", str(files))
        self.addCleanup(loading.stdout.close)
        deadline = time.monotonic() + WAIT_SECONDS
        while len(self.parts()) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        loading.send_signal(signal.SIGKILL)
        self.assertEqual(-signal.SIGKILL, loading.wait(WAIT_SECONDS))
        left = self.parts()
        self.assertTrue(3 <= len(left) < NAMESPACES, len(left))
        self.assertEqual({PARTS}, set(left))
        result = json.loads(self.manage("db", "load_metadefs", str(files), "--format", "json"))
        self.assertEqual(
            {"added": NAMESPACES - len(left), "changed": 0, "kept": len(left)},
            {name: int(number) for name, number in result.items()},
        )
        self.assertEqual([PARTS] * NAMESPACES, self.parts())
