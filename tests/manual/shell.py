"""A shell in a fresh folder, in which the commands of a page run as a reader would type them."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import fixtures

from tests.manual.pages import Step
from tests.ports import free_port

DEADLINE = 300.0
"""Seconds after which a command has failed."""

SERVICES = ("glance-mini serve", "glance-mini-worker", "glance-mini-registry serve", "haproxy")
"""Commands that run until they are stopped; they are started in the background."""

_ROOT = Path(__file__).resolve().parents[2]
_ANSWERING = (SERVICES[0], SERVICES[2])
_OUTSIDE = re.compile(r"(?:(?<=file://)|(?<![\w.$~/-]))/(?:etc|backup|srv|mnt|var)(?=/)")
_PORT = re.compile(r"\b9[23][0-9]{2}\b")
_OWN_ADDRESS = "--bind 127.0.0.1:9292 --workers 1"

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file
[glance_store]
default_backend = images
[images]
filesystem_store_datadir = {root}/srv/images
[database]
connection = sqlite:///{root}/srv/glance-mini.db
[server]
bind = 127.0.0.1:{port}
workers = 1
[authentication]
users_file = {root}/etc/glance-mini/users.json
"""


class Shell(fixtures.Fixture):
    """A bash whose home and working directory are new and empty.

    Paths such as ``/etc/x`` are below that directory, and ports 9200 to 9399 are free ones of this machine: what goes
    in and what comes out is translated. ``/etc/glance-mini/glance-mini.conf`` is a small configuration.
    """

    def __init__(self, **variables: str) -> None:
        super().__init__()
        self._variables = variables
        self._ports: dict[str, str] = {}
        self._started = 0

    def _setUp(self) -> None:
        self.root = Path(self.useFixture(fixtures.TempDir()).path).resolve()
        for folder in ("home", "etc/glance-mini", "srv", "backup", "mnt", "var/lib", "var/backups"):
            (self.root / folder).mkdir(parents=True)
        text = _CONFIGURATION.format(root=self.root, port=self._port("9292"))
        (self.root / "etc/glance-mini/glance-mini.conf").write_text(text)
        (self.root / "home/.venv").symlink_to(sys.prefix)
        for folder in ("etc", "packaging"):
            (self.root / "home" / folder).symlink_to(_ROOT / folder)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "XDG_"))}
        paths = (str(Path(sys.prefix) / "bin"), inherited["PATH"], "/usr/sbin", "/sbin")
        own = {"HOME": str(self.root / "home"), "PATH": ":".join(paths), "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
        own["PYTHONPATH"] = str(_ROOT)
        self._reading, writing = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.root / "home",
            env=inherited | own | self._variables,
            pass_fds=(writing,),
            start_new_session=True,
        )
        self._writing = writing
        os.close(writing)
        self.addCleanup(self._end)

    def _end(self) -> None:
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait(DEADLINE)
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        os.close(self._reading)

    def inside(self, text: str) -> str:
        """Return what stands for the paths and ports of ``text`` here."""
        text = _OUTSIDE.sub(lambda found: f"{self.root}{found[0]}", text)
        return _PORT.sub(lambda found: self._port(found[0]), text)

    def outside(self, text: str) -> str:
        """Return ``text`` with the paths and ports of the page."""
        for page, ours in self._ports.items():
            text = re.sub(rf"\b{ours}\b", page, text)
        return text.replace(str(self.root), "")

    def _port(self, page: str) -> str:
        if page not in self._ports:
            self._ports[page] = str(free_port())
        return self._ports[page]

    def run(self, text: str) -> tuple[int, list[str]]:
        """Return the exit code of a command and the lines that it printed, as the page would have them."""
        output = self.root / "output"
        code = self._ask(f"{{ {self.inside(text)}\n}} >'{output}' 2>&1 </dev/null")
        lines = self.outside(output.read_text(errors="replace")).rstrip("\n").splitlines()
        return code, [line.rstrip() for line in lines]

    def start(self, text: str) -> tuple[int, list[str]]:
        """Start a service; return 0 and what it printed until it answered, or its exit code."""
        self._started += 1
        output = self.root / f"output-of-service-{self._started}"
        if text.startswith(SERVICES[0]) and not re.search("--(bind|config-file)", text):
            text = f"{text} {_OWN_ADDRESS}"
        # Some say nothing when they are ready.
        has_answered = f"grep -q 'answers at' '{output}'" if text.startswith(_ANSWERING) else "sleep 1"
        code = self._ask(
            f"{self.inside(text)} >'{output}' 2>&1 </dev/null &\n"
            f"for each in $(seq 600); do {has_answered} && break; kill -0 $! 2>/dev/null || break; sleep 0.1; done\n"
            "kill -0 $! 2>/dev/null"
        )
        return code, self.outside(output.read_text(errors="replace")).splitlines()

    def _ask(self, script: str) -> int:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{script}\necho $? >&{self._writing}\n".encode())
        self._bash.stdin.flush()
        answer, end = b"", time.monotonic() + DEADLINE
        while not answer.endswith(b"\n"):
            readable, _, _ = select.select([self._reading], [], [], max(end - time.monotonic(), 0))
            part = os.read(self._reading, 100) if readable else b""
            if not part:
                raise AssertionError(f"the shell does not answer: {script}")
            answer += part
        return int(answer)


def is_service(text: str) -> bool:
    """Return whether a command runs until it is stopped."""
    return text.removeprefix(".venv/bin/").startswith(SERVICES) and "--help" not in text


def problem(step: Step, code: int, lines: list[str]) -> str | None:
    """Return what is wrong with the result of a command, None if it is what the page says."""
    if (code != 0) != step.fails:
        return f"the exit code is {code}: {lines}"
    if step.printed and not _pattern(step.printed).fullmatch("\n".join(lines)):
        return f"the page prints {list(step.printed)}, the command {lines}"
    return None


def _pattern(printed: tuple[str, ...]) -> re.Pattern[str]:
    text = "\n".join(printed).rstrip("\n")
    return re.compile(".*".join(map(re.escape, text.split("…"))), re.DOTALL)
