"""A verification as an operator runs it, and a process that is killed in the middle of it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.verification import ListVerifications
from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service
from tests.http_server.running import eventually

MIB = 1024 * 1024
SETTINGS = """
[verify]
rate = {rate}

[workers]
lease_seconds = 5
poll_interval = 1
"""


class VerificationTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.state = StateDirectory(Path(self.useFixture(fixtures.TempDir()).path) / "state")
        self.state.create()
        self.plain = self.state.config_file.read_text()
        self.set_rate(4 * MIB)

    def set_rate(self, rate):
        self.state.config_file.write_text(self.plain + SETTINGS.format(rate=rate))

    def start(self, *words):
        """Start ``glance-mini-manage`` and return its process."""
        line = [sys.executable, "-m", "glance_mini.cmd.manage", *words, "--state", str(self.state.path)]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def manage(self, *words):
        """Return exit code, standard output and standard error of a command."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_killed_verification_is_finished_by_a_worker(self):
        service = self.useFixture(Service(self.state.path, "--no-worker"))
        for _ in range(4):
            self.assertEqual(204, service.upload(service.create_image(), b"x" * 8 * MIB).status_code)
        broken = sorted(service.stored_files())[0]
        service.stop()
        broken.write_bytes(b"y" * 8 * MIB)

        data = SqlDataAccess(make_engine(f"sqlite:///{self.state.path}/glance-mini.db"))
        self.addCleanup(data.close)
        command = self.start("store", "verify")
        self.addCleanup(command.communicate)
        eventually(lambda: self.copies_read(data), "a part of the copies was read")
        command.send_signal(signal.SIGKILL)
        command.wait()
        code, _, err = self.manage("store", "verify")
        self.assertEqual(1, code)
        self.assertIn("goes on already", err)

        self.set_rate(0)
        self.useFixture(Service(self.state.path, port=service.port))
        eventually(lambda: data.run(ListVerifications(1))[0].ended_at, "the worker has finished it")
        job = data.run(GetJob(data.run(ListVerifications(1))[0].job_id))
        self.assertGreater(job.attempts, 1)
        code, out, _ = self.manage("store", "findings", "--format", "json")
        report = json.loads(out)
        self.assertEqual((3, 4, 3, 1), (code, report["copies"], report["good"], report["damaged"]))
        self.assertEqual([broken.name[:36]], [each["image_id"] for each in report["findings"]])

    def copies_read(self, data):
        runs = data.run(ListVerifications(1))
        counts = data.run(GetJob(runs[0].job_id)).checkpoint.get("counts", {}) if runs else {}
        return counts.get("copies", 0)
