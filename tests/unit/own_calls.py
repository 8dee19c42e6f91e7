"""Counts how often the project's own functions are called by a piece of work, from the controller on."""

import sys
from collections import Counter
from collections.abc import Callable
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType

import glance_mini
import glance_mini_store

PACKAGES = tuple(f"{Path(package.__file__).parent}/" for package in (glance_mini, glance_mini_store))


class OwnCalls:
    """Counts while it is in use, in this thread: ``calls`` by file and function.

    It begins with the first method of a controller and ends when that returns. Comprehensions do not count, which newer
    Pythons do not call; a generator counts once, however often it goes on.
    """

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self._controller: FrameType | None = None
        self._is_over = False
        self._generators: set[FrameType] = set()

    def of(self, work: Callable[[], object]) -> "OwnCalls":
        """Do ``work`` and return self."""
        sys.setprofile(self._note)
        try:
            work()
        finally:
            sys.setprofile(None)
        if not self._is_over:
            raise AssertionError("no controller was called")
        return self

    @property
    def files(self) -> set[str]:
        """Return the files in which the functions stand."""
        return {file for file, _ in self.calls}

    def __str__(self) -> str:
        lines = [f"{count:5} {file} {name}" for (file, name), count in self.calls.items()]
        return "\n".join([f"{self.calls.total()} calls in {len(self.files)} files", *lines])

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "return" and frame is self._controller:
            self._is_over = True
        if event == "call" and not self._is_over and frame.f_code.co_filename.startswith(PACKAGES):
            if self._controller is None and "Controller." in frame.f_code.co_qualname:
                self._controller = frame
            if self._controller and self._is_new(frame):
                self.calls[frame.f_code.co_filename, frame.f_code.co_qualname] += 1

    def _is_new(self, frame: FrameType) -> bool:
        code = frame.f_code
        if code.co_name.startswith("<") and code.co_name != "<lambda>":
            return False
        if not code.co_flags & CO_GENERATOR:
            return True
        known = frame in self._generators
        self._generators.add(frame)
        return not known
