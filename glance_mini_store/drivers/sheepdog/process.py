"""One run of the ``dog`` program with pipes to it; it is killed when it stops to make progress.

The words of a command are an argument list; no shell sees them. What the program prints as errors goes to a temporary
file, so that it cannot block.
"""

import fcntl
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, NoReturn

from glance_mini_store import errors

_PIPE = 1024 * 1024
"""Bytes that a pipe holds."""

_SHOWN = 300
"""Bytes of the program's error text that are kept."""


class DogFailed(Exception):
    """The program ended with exit code ``code``; ``text`` is the end of what it printed as errors."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"dog ended with code {code}: {text}")
        self.code = code
        self.text = text


class DogProcess:
    """A running ``dog``; ``seconds`` bounds each wait for it. Must be killed or finished."""

    def __init__(self, command: Sequence[str], seconds: float, *, feeds: bool = False) -> None:
        """``feeds``: whether data is written to the program. Raises RemoteServiceUnavailable if it cannot be run."""
        self._seconds = seconds
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if feeds else subprocess.PIPE,
                stderr=self._printed,
                bufsize=0,
            )
        except OSError as error:
            self._printed.close()
            raise errors.RemoteServiceUnavailable(reason=f"dog cannot be run: {error.strerror}") from error
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # The system may refuse; a smaller pipe is slower.
                with suppress(OSError):
                    fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)

    def write(self, data: memoryview) -> None:
        """Write all of ``data`` to the program. Raises DogFailed if it ended, RemoteServiceUnavailable."""
        pipe = self._process.stdin
        assert pipe is not None
        while data:
            self._wait_for(pipe, select.POLLOUT)
            try:
                data = data[os.write(pipe.fileno(), data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                self.finish()
                raise DogFailed(0, "it did not read all data") from error

    def read(self, most: int) -> bytes:
        """Return the next 1 to ``most`` bytes that the program prints, or no bytes at their end."""
        pipe = self._process.stdout
        assert pipe is not None
        self._wait_for(pipe, select.POLLIN)
        return os.read(pipe.fileno(), most)

    def read_all(self) -> bytes:
        """Return all that the program prints, within the time of one wait; raises DogFailed, as ``finish``."""
        end = time.monotonic() + self._seconds
        pieces = []
        while piece := self.read(65536):
            pieces.append(piece)
            if time.monotonic() > end:
                self._give_up()
        self.finish()
        return b"".join(pieces)

    def finish(self) -> None:
        """Wait for the end of the program; raises DogFailed unless its exit code is 0."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            code = self._process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            self._give_up()
        text = self._text()
        self.kill()
        if code:
            raise DogFailed(code, text)

    def kill(self) -> None:
        """End the program and release the pipes; may be repeated."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._printed):
            if pipe is not None:
                pipe.close()

    def _wait_for(self, pipe: IO[bytes], event: int) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(self._seconds * 1000):
            self._give_up()

    def _give_up(self) -> NoReturn:
        self.kill()
        raise errors.RemoteServiceUnavailable(reason=f"dog made no progress for {self._seconds:g} seconds")

    def _text(self) -> str:
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - _SHOWN))
        words = self._printed.read(_SHOWN).decode("ascii", "replace").split()
        return " ".join(word for word in words if word.isprintable())
