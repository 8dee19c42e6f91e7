"""``glance-mini serve --config-file`` as a process, with the configuration that a test writes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import fixtures

from tests.functional.service import START_SECONDS, STOP_SECONDS
from tests.ports import free_port

_COMMANDS = (
    "import json, sys; from glance_mini.cmd.manage import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"
)
_CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file
[glance_store]
default_backend = images
[images]
filesystem_store_datadir = {root}/images
[database]
connection = sqlite:///{root}/glance-mini.db
[server]
bind = 127.0.0.1:{port}
workers = {workers}
[authentication]
users_file = {root}/users.json
"""


class Served(fixtures.Fixture):
    """A service with files and database of its own and what ``configuration`` adds; ``url`` is where it answers.

    ``configuration`` is what a file would say; sections may come a second time. ``users`` maps the users of the
    flavour token to project and role; then ``tokens`` are their tokens.
    """

    def __init__(self, configuration, port=None, workers=1, users=None):
        super().__init__()
        self._users = users or {}
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._workers = workers
        self._configuration = configuration

    def _setUp(self):
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.root / "log"
        self.config_file = self.root / "glance-mini.conf"
        own = _CONFIGURATION.format(root=self.root, port=self.port, workers=self._workers)
        self.config_file.write_text(own + self._configuration)
        self.tokens = self._make_database()
        self.addCleanup(self.kill)
        self.start()

    def start(self):
        """Start the process, also after it was killed."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "glance_mini.cmd.main", "serve", "--config-file", str(self.config_file)],
                # What it leaves when it is killed goes with the rest.
                env={**os.environ, "TMPDIR": str(self.root)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._wait_for_the_address()

    def _make_database(self):
        """Make the database and the users in one process, which takes a second to load, and return their tokens."""
        users = [
            ("user", "add", name, "--project", project, "--role", role) for name, (project, role) in self._users.items()
        ]
        commands = [[*words, "--config-file", str(self.config_file)] for words in (("db", "sync"), *users)]
        printed = _output([sys.executable, "-c", _COMMANDS, json.dumps(commands)]).split()
        return dict(zip(self._users, printed[1:], strict=True))

    def manage(self, *words, **options):
        """Return what ``glance-mini-manage`` printed."""
        command = [sys.executable, "-m", "glance_mini.cmd.manage", *words, "--config-file", str(self.config_file)]
        return _output(command, **options)

    def stop(self):
        """Ask the service to end, wait for it and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def _wait_for_the_address(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                if self.process.stdout.readline():
                    return
                break
        raise AssertionError(f"the service did not start:\n{self.log.read_text()}")

    def kill(self):
        """Kill all its processes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
        self.process.stdout.close()


def _output(command, **options):
    """Return what a program printed. Raises AssertionError if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()
