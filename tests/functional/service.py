"""The real ``glance-mini serve`` as a process, and the unmodified clients that use it."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import fixtures
import requests
import yaml

from tests.ports import free_port
from tests.programs import start, start_fresh

START_SECONDS = 60
STOP_SECONDS = 30


def entries_below(directory):
    """Return the directories and the files below a directory, in which things may come and go meanwhile."""
    # Path.rglob raises where a directory goes between being found and being read.
    found = [(Path(place), folders, names) for place, folders, names in os.walk(directory)]
    folders = [place / name for place, names, _ in found for name in names]
    return folders, [place / name for place, _, names in found for name in names]


def files_below(directory):
    """Return the files below a directory, those that are only being written too."""
    return entries_below(directory)[1]


class Service(fixtures.Fixture):
    """``glance-mini serve`` on a state directory; ``words`` are further arguments, ``lines`` how many it prints.

    Then ``output`` has what it printed once it answered, and ``lines`` what one can copy from it: commands and the
    address. ``code`` is its exit code where it did not start. ``fresh``: it imports all modules itself.
    """

    def __init__(self, state, *words, port=None, lines=4, fresh=False):
        super().__init__()
        self._expected = lines
        self._start = start_fresh if fresh else start
        self.state = Path(state)
        self.port = port or free_port()
        self.words = words
        self.output = []
        self.lines = []
        self.code = None

    def _setUp(self):
        self.log = Path(self.useFixture(fixtures.TempDir()).path) / "log"
        words = ["serve", "--state", str(self.state), "--bind", f"127.0.0.1:{self.port}", "--workers", "1", *self.words]
        with open(self.log, "wb") as log:
            self.process = self._start(
                "glance_mini.cmd.main", *words, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        self.addCleanup(self._clean_up)
        self._read_lines()

    def _read_lines(self):
        deadline = time.monotonic() + START_SECONDS
        output = b""
        while output.count(b"\n") < self._expected and time.monotonic() < deadline:
            readable, _, _ = select.select([self.process.stdout], [], [], 0.5)
            part = os.read(self.process.stdout.fileno(), 4096) if readable else None
            if part == b"":
                self.code = self.process.wait(STOP_SECONDS)
                break
            output += part or b""
        self.output = output.decode().splitlines()
        self.lines = [re.sub(r".*?(export |openstack |https?:)", r"\1", line) for line in self.output]
        if self.code is None and len(self.lines) != self._expected:
            raise AssertionError(f"the service did not start: {self.lines}\n{self.log.read_text()}")

    def _clean_up(self):
        self.stop(signal.SIGKILL)
        self.process.stdout.close()

    def stop(self, number=signal.SIGTERM):
        """Send a signal and return the exit code; SIGKILL goes to all processes of the service."""
        if self.process.poll() is None:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
            self.process.wait(STOP_SECONDS)
        return self.process.returncode

    @property
    def cloud(self):
        """Return what clouds.yaml says about the service."""
        return yaml.safe_load((self.state / "clouds.yaml").read_text())["clouds"]["glance-mini"]

    @property
    def token(self):
        """Return the administrator's token."""
        return self.cloud["auth"]["token"]

    def request(self, method, path, **arguments):
        """Return the answer to a request with the administrator's token."""
        headers = {"X-Auth-Token": self.token, **arguments.pop("headers", {})}
        url = self.cloud["image_endpoint_override"] + path
        return requests.request(method, url, **{"headers": headers, "timeout": 30, **arguments})

    def create_image(self, **properties):
        """Return the id of a new image."""
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **properties}
        return self.request("POST", "/v2/images", json=body).json()["id"]

    def upload(self, image, data):
        """Return the answer to an upload of ``data``, bytes or an iterator of them."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.request("PUT", f"/v2/images/{image}/file", data=data, headers=headers)

    def stored_files(self):
        """Return all files in the file store."""
        return files_below(self.state / "images")


class Client(fixtures.Fixture):
    """The command line clients with a clouds.yaml or with arguments of their own, in a home directory of their own."""

    def __init__(self, clouds_file=None):
        super().__init__()
        self._clouds_file = clouds_file

    def _setUp(self):
        self.home = self.useFixture(fixtures.TempDir()).path
        own = {"HOME": self.home, "OS_CLIENT_CONFIG_FILE": str(self._clouds_file)}
        foreign = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "XDG_"))}
        self._environ = foreign | own

    def call(self, program, *words):
        """Return what a client printed; raises where it failed."""
        done = self._run(program, *words, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise AssertionError(f"{program} {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def openstack(self, *words):
        """Return what ``openstack`` printed."""
        return self.call("openstack", "--os-cloud", "glance-mini", *words).strip()

    def shell(self, script):
        """Return what a shell printed that ran ``script``; raises where it failed."""
        done = subprocess.run(
            ["sh", "-euc", script], env=self._environ, cwd=self.home, capture_output=True, text=True, timeout=60,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"{script}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def openstack_session(self, *commands):
        """Return the JSON documents that one ``openstack`` printed which read those commands from its input.

        That is much quicker than one process for each. Its exit code tells nothing: it is 1 after every session.
        """
        environ = {**self._environ, "OS_CLOUD": "glance-mini"}
        done = self._run("openstack", input="\n".join([*commands, ""]), env=environ)
        documents, rest = [], done.stdout.strip()
        while rest:
            try:
                document, end = json.JSONDecoder().raw_decode(rest)
            except ValueError:
                raise AssertionError(f"openstack did not understand all: {done.stdout}{done.stderr}") from None
            documents.append(document)
            rest = rest[end:].strip()
        return documents

    def _run(self, program, *words, **arguments):
        path = Path(sys.executable).parent / program
        arguments = {"env": self._environ, "cwd": self.home, **arguments}
        return subprocess.run([str(path), *words], **arguments, capture_output=True, text=True, timeout=60, check=False)
