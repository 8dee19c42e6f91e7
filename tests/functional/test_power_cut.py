"""What SQLite has brought to disk when the data of an image goes; a power cut is an older WAL, replayed."""

import re
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import fixtures
import testtools

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service
from tests.http_server.running import eventually

_WRITE = re.compile(r"pwrite64\(\d+<(?P<path>[^>]*)>.*, (?P<size>\d+), (?P<offset>\d+)\) += \d+$")
_SYNC = re.compile(r"(?:fdatasync|fsync)\(\d+<(?P<path>[^>]*)>\) += 0$")
_UNLINK = re.compile(r'unlink(?:at)?\((?:[^"]*, )?"(?P<path>[^"]*)"')


class PowerCutTest(testtools.TestCase):
    def test_image_whose_data_went_before_a_power_cut_is_not_active_after_it(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is missing; it shows when the database is on disk")
        root = Path(self.useFixture(fixtures.TempDir()).path)
        service = self.useFixture(Service(StateDirectory(root / "state").path, "--no-worker"))
        image = service.create_image()
        service.upload(image, b"content")
        (data,) = service.stored_files()
        database = root / "state" / "glance-mini.db"
        wal = Path(f"{database}-wal")
        log = root / "strace.log"
        with self.traced(service, log):
            self.assertEqual(204, service.request("DELETE", f"/v2/images/{image}").status_code)
            eventually(lambda: not data.exists(), "the data was deleted")
            copy = root / "after.db"
            shutil.copy(database, copy)
            shutil.copy(wal, f"{copy}-wal")
        synced = self.synced_at_unlink(log.read_text(), str(wal), str(data))
        with open(f"{copy}-wal", "r+b") as file:
            file.truncate(synced)
        connection = sqlite3.connect(copy)
        self.addCleanup(connection.close)
        (status,) = connection.execute("SELECT status FROM images WHERE id = ?", (image,)).fetchone()
        self.assertEqual("deleted", status)

    def traced(self, service, log):
        """Return a context in which strace writes what the processes of the service do with files."""
        group = subprocess.run(["pgrep", "-g", str(service.process.pid)], capture_output=True, text=True, check=True)
        pids = [word for pid in group.stdout.split() for word in ("-p", pid)]
        calls = "trace=pwrite64,fdatasync,fsync,unlink,unlinkat"
        return Traced(["strace", "-f", "-y", "-s", "0", "-e", calls, "-o", str(log), *pids], log)

    def synced_at_unlink(self, text, wal, data):
        """Return up to which byte the WAL was on disk when the data went."""
        written = synced = 0
        for line in text.splitlines():
            if (match := _WRITE.search(line)) and match["path"] == wal:
                written = max(written, int(match["offset"]) + int(match["size"]))
            elif (match := _SYNC.search(line)) and match["path"] == wal:
                synced = written
            elif (match := _UNLINK.search(line)) and Path(match["path"]).name == Path(data).name:
                return synced
        raise AssertionError(f"strace saw no unlink of {data}:\n{text}")


class Traced:
    """A strace that has attached before the block and has ended after it."""

    def __init__(self, command, log):
        self._command = command
        self._log = log

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        attached = self._process.stderr.readline()
        if "attached" not in attached:
            raise AssertionError(attached)
        return self

    def __exit__(self, *error):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        self._process.stderr.close()
