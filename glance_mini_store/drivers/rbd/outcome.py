"""What a call in another thread did."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """The result or the error of a call, which is taken once.

    An error that is raised refers to the frames that it passed. It is not kept here, because these may refer to this:
    the circle would hold an image or a connection until Python looks for circles.
    """

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._results: list[T] = []
        self._failure: BaseException | None = None

    def run(self, call: Callable[[], T]) -> None:
        """Make the call and keep what it does."""
        try:
            self._results.append(call())
        except BaseException as error:
            self._failure = error.with_traceback(None)
        finally:
            self._ended.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the call has ended, at most so long; return whether it has."""
        return self._ended.wait(seconds)

    def take(self) -> T:
        """Wait, and return what the call returned or raise what it raised."""
        self._ended.wait()
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
            return self._results.pop()
        finally:
            del failure
