"""Starts the programs of the project as copies of a process that has imported their modules already.

More than half of the processor time of a short program is the import of its modules. A copy is forked by a nursery,
which has done nothing but import; from there on it does what ``python -m MODULE`` does. Tests of the start itself, of
memory, and of what imports do start real processes. A copy finds the packages that its ``PYTHONPATH`` adds; where the
environment tells Python anything else that the nursery was not told, ``start`` starts a real process.
"""

import contextlib
import fcntl
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from importlib import import_module
from pathlib import Path

from stevedore import ExtensionManager

ROOT = Path(__file__).parents[1]

SERVING = "serving"
COMMANDS = "commands"
"""The two nurseries: the library of metrics counts for several processes, or for one, as it is told at its import."""

_MODULES = {
    SERVING: (
        "glance_mini.cmd.start",
        "glance_mini.cmd.registry",
        "glance_mini.cmd.worker",
        "glance_mini.cmd.manage_database",
        "glance_mini.cmd.access_log",
        "glance_mini.cmd.metadef_files",
        "glance_mini.api.application",
        "glance_mini.bootstrap",
        "glance_mini.db.sqlalchemy.access",
        "glance_mini.jobs.import_image",
        "glance_mini.layers.location",
        "glance_mini.registry.application",
        "alembic.command",
    ),
    COMMANDS: (
        "glance_mini.cmd.transfers.pull",
        "glance_mini.cmd.transfers.push",
        "glance_mini.cmd.worker",
        "glance_mini.cmd.manage_database",
        "glance_mini.bootstrap",
        "glance_mini.db.sqlalchemy.access",
        "glance_mini.jobs.import_image",
        "glance_mini.registry.application",
        "alembic.command",
    ),
}
_SINGLE = {"glance_mini.cmd.manage", "glance_mini.cmd.worker", "tests.functional.served_registry"}
_TRANSFERS = {"push", "pull"}

_MESSAGE = 1 << 17
_NUMBER = struct.Struct("i")
_ABOVE = 200
"""File descriptors from here on are in nobody's way."""


def start(module, *words, stdout=None, stderr=None, **arguments):
    """Return ``python -m MODULE WORDS`` as a process that is like one of ``subprocess``; it has no input.

    ``stdout`` and ``stderr`` are open files or ``subprocess.PIPE``, which is for ``stdout`` only; ``arguments`` are
    ``cwd``, ``env``, ``pass_fds`` and ``start_new_session`` as for ``subprocess.Popen``.
    """
    words = [str(word) for word in words]
    environ = arguments.get("env") or os.environ
    if _told_to_python(environ) != _TOLD:
        return start_fresh(module, *words, stdout=stdout, stderr=stderr, **arguments)
    kind = COMMANDS if module in _SINGLE or _TRANSFERS.intersection(words[:1]) else SERVING
    return Copy(_nursery(kind), module, words, stdout, stderr, **arguments)


def start_fresh(module, *words, **arguments):
    """Return the same as a process of ``subprocess`` that imports all modules itself."""
    return subprocess.Popen([sys.executable, "-m", module, *words], stdin=subprocess.DEVNULL, **arguments)


def run(module, *words, env=None, cwd=None, timeout=120):
    """Return the ended process of ``python -m MODULE WORDS``, with its output as text, as ``subprocess.run`` does."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(module, *words, stdout=out, stderr=err, env=env, cwd=cwd)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess([module, *words], code, *texts)


def _told_to_python(environ):
    return {name: value for name, value in environ.items() if name.startswith("PYTHON") and name != "PYTHONPATH"}


_TOLD = _told_to_python(os.environ)
"""What Python was told before the first test; the nurseries are told the same."""
_PATH = {name: value for name, value in os.environ.items() if name == "PYTHONPATH"}


class Copy:
    """A process that a nursery has forked, with the members of ``subprocess.Popen`` that tests use."""

    def __init__(
        self, nursery, module, words, stdout, stderr, cwd=None, env=None, pass_fds=(), start_new_session=False
    ):
        self.args = [module, *words]
        self.returncode = None
        self.stdout = None
        self._lock = threading.Lock()
        self._status, status = os.pipe()
        request = {
            "module": module,
            "words": words,
            "cwd": str(cwd or Path.cwd()),
            "environ": dict(os.environ if env is None else env),
            "targets": list(pass_fds),
            "session": start_new_session,
        }
        with open(os.devnull, "rb") as nothing:
            output = stdout
            if stdout == subprocess.PIPE:
                reading, writing = os.pipe()
                self.stdout, output = open(reading, "rb"), open(writing, "wb")  # noqa: SIM115
            files = [sys.stdout if output is None else output, sys.stderr if stderr is None else stderr]
            nursery.ask(request, [status, nothing.fileno(), *(file.fileno() for file in files), *pass_fds])
            if self.stdout is not None:
                output.close()
        os.close(status)
        self.pid = self._number()

    def poll(self):
        """Return the exit code, None while the process runs."""
        return self._ended(0)

    def wait(self, timeout=None):
        """Return the exit code after the end; raises ``subprocess.TimeoutExpired``."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, timeout=None):
        """Return what was not yet read of the output, and None, after the end of the process."""
        deadline = None if timeout is None else time.monotonic() + timeout
        parts = []
        while True:
            rest = None if deadline is None else max(deadline - time.monotonic(), 0)
            if not select.select([self.stdout], [], [], rest)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            parts.append(self.stdout.read1(1 << 16))
            if not parts[-1]:
                break
        self.stdout.close()
        self.wait(None if deadline is None else max(deadline - time.monotonic(), 0))
        return b"".join(parts), None

    def send_signal(self, number):
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout):
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                self.returncode = os.waitstatus_to_exitcode(self._number())
                os.close(self._status)
        return self.returncode

    def _number(self):
        data = os.read(self._status, _NUMBER.size)
        if len(data) != _NUMBER.size:
            raise AssertionError(f"the nursery did not start {self.args}")
        return _NUMBER.unpack(data)[0]


class _Nursery:
    """A process that forks copies of itself when it is asked; it ends with this process."""

    def __init__(self, kind):
        self._lock = threading.Lock()
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.programs", kind, str(other.fileno())]
        with other, tempfile.TemporaryDirectory() as metrics:
            environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | _PATH
            if kind == SERVING:
                environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, pass_fds=[other.fileno()]
            )
            # It is ready, and needs the directory no more.
            self._socket.recv(1)

    def ask(self, request, descriptors):
        """Let it fork; ``descriptors``: for the status, for input, output and errors, and for the targets."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)


_nursery = cache(_Nursery)


def _tend(kind, control):
    """Import the modules and fork a copy for each request; return the request in the copy, None at the end."""
    for name in _MODULES[kind]:
        import_module(name)
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    gc.collect()
    gc.freeze()
    # Nobody waits for those who wait for the copies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.send(b"r")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 32)
        if not message:
            return None
        if not os.fork():
            control.close()
            return json.loads(message), _forked(*descriptors)
        for each in descriptors:
            os.close(each)


def _forked(status, *descriptors):
    """Fork the copy, in which this returns ``descriptors`` out of the way; tell ``status`` its id and its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for each in descriptors]
        for each in (status, *descriptors):
            os.close(each)
        return moved
    for each in descriptors:
        os.close(each)
    os.write(status, _NUMBER.pack(pid))
    _, ended = os.waitpid(pid, 0)
    # Nobody may ask any more.
    with contextlib.suppress(BrokenPipeError):
        os.write(status, _NUMBER.pack(ended))
    os._exit(0)


def _be(request, descriptors):
    if request["session"]:
        os.setsid()
    for each, target in zip(descriptors, (0, 1, 2, *request["targets"]), strict=True):
        os.dup2(each, target)
        os.close(each)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    sys.argv[1:] = request["words"]
    path = os.environ.get("PYTHONPATH")
    if path != _PATH.get("PYTHONPATH"):
        sys.path[1:1] = path.split(os.pathsep) if path else ()
        # It has the entry points of the old path.
        ExtensionManager.ENTRY_POINT_CACHE.clear()
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _main(kind, control):
    with socket.socket(fileno=int(control)) as connection:
        asked = _tend(kind, connection)
    if asked:
        _be(*asked)


if __name__ == "__main__":
    _main(*sys.argv[1:])
