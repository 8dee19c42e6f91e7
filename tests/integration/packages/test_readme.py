"""The first command of the README, with Debian's own Python, in a home that holds nothing."""

import os
import re
import select
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from fixtures import TempDir

from tests.integration.packages.base import ROOT, PackagingCase
from tests.ports import free_port

DEADLINE = 480.0
"""Seconds for the installation from the package index and the start."""

_LEFT_OUT = shutil.ignore_patterns(".git", ".tox", ".venv", "build", "*.egg-info", "__pycache__", ".stestr")


class TestReadme(PackagingCase):
    def test_first_command_starts_the_service_on_an_externally_managed_python(self):
        if not list(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED")):
            self.lacks("this Debian's Python is not externally managed")
        [line] = re.findall(
            r"^    (.* glance-mini serve|.*/glance-mini serve)$", (ROOT / "README.md").read_text(), re.M
        )
        tutorial = (ROOT / "doc" / "source" / "tutorial.rst").read_text()
        self.assertIn(f"   $ {line}\n", tutorial)
        folder = Path(self.useFixture(TempDir()).path)
        shutil.copytree(ROOT, folder / "source", ignore=_LEFT_OUT)
        (folder / "home").mkdir()
        # Which package index is used, and a free port; the line stays as it is.
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        own = {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        own["OS_SERVER__BIND"] = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder / "source",
            env=kept | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 60)
        self.addCleanup(os.killpg, process.pid, signal.SIGKILL)
        address = self._read_address(process)
        self.assertEqual(f"http://{own['OS_SERVER__BIND']}", address)
        with urllib.request.urlopen(f"{address}/healthcheck", timeout=30) as answer:
            self.assertEqual(200, answer.status)
        self.assertTrue((folder / "home/.local/state/glance-mini/clouds.yaml").exists())
        self.assertFalse((folder / "home/.local/lib").exists())

    def _read_address(self, process):
        printed, end = b"", time.monotonic() + DEADLINE
        while not (found := re.search(rb"The service answers at (\S+)\n", printed)):
            readable, _, _ = select.select([process.stdout], [], [], max(end - time.monotonic(), 0))
            part = os.read(process.stdout.fileno(), 65536) if readable else b""
            self.assertNotEqual(b"", part, printed.decode(errors="replace"))
            printed += part
        return found[1].decode()
