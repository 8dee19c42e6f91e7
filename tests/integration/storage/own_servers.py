"""Further processes of the real services, which a test may kill: a proxy of Swift, and an object gateway of Ceph."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import fixtures

from tests.integration.base import SERVICES
from tests.ports import free_port

SECONDS = 60


class OwnServer(fixtures.Fixture):
    """A process that serves ``port``; ``command`` makes its words from the port and a directory of its own."""

    def __init__(self, command):
        super().__init__()
        self._command = command

    def _setUp(self):
        self.port = free_port()
        self._folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.addCleanup(self.kill)
        self.start()

    def start(self):
        """Start it, also after it was killed, and wait until it answers."""
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                self._command(self.port, self._folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError((self._folder / "log").read_text()) from None
                time.sleep(0.1)

    def kill(self):
        """Kill it and all processes that it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(SECONDS)


def swift_proxy(name="proxy", *, port_before, **options):
    """Return a further proxy of Swift like ``name``, which serves ``port_before``, with other ``options``."""
    home = services_home() / "swift"

    def command(port, folder):
        text = (home / f"{name}-server.conf").read_text()
        text = text.replace(f"bind_port = {port_before}\n", f"bind_port = {port}\n")
        for section, line in options.items():
            text = text.replace(f"[filter:{section}]\n", f"[filter:{section}]\n{line}\n")
        (folder / "proxy.conf").write_text(text)
        return [str(home / "venv" / "bin" / "swift-proxy-server"), str(folder / "proxy.conf")]

    return OwnServer(command)


def object_gateway(conf):
    """Return a further object gateway of the Ceph that the file ``conf`` describes."""

    def command(port, folder):
        words = ["radosgw", "--conf", conf, "--foreground", "--name", "client.rgw", "--debug_rgw", "0"]
        frontend = f"beast endpoint=127.0.0.1:{port}"
        return [*words, "--rgw_frontends", frontend, "--rgw_data", str(folder / "data")]

    return OwnServer(command)


def services_home():
    """Return where the scripts of the services keep what they need."""
    command = ["bash", "-c", f'. "{SERVICES}/_lib.sh"; echo "$SERVICES_HOME"']
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
