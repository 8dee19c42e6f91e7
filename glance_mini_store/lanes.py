"""Threads that work on the chunks of one stream at the same time."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Chunk = bytes | bytearray | memoryview
"""Bytes of a stream. Its memory may be used again later: see ``Driver.write``."""

T = TypeVar("T")


class Lane(Generic[T]):
    """A thread that calls ``work`` with the chunks that are put.

    When ``put`` returns, ``work`` has asked for a further chunk after all but the last ``depth`` + 1 ones, or it has
    ended. ``failure`` is the error that ended it.
    """

    def __init__(self, name: str, work: Callable[[Iterator[Chunk]], T], depth: int) -> None:
        self.failure: BaseException | None = None
        self._work = work
        self._results: list[T] = []
        self._queue: queue.Queue[Chunk | BaseException | None] = queue.Queue(depth)
        self._is_ended = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when ``work`` asks for its first chunk, or has ended."""
        self._ready.wait()

    def put(self, chunk: Chunk) -> None:
        """Pass a chunk on; waits while ``work`` is too far behind. Chunks after its end are dropped."""
        self._queue.put(chunk)

    def end(self, failure: BaseException | None = None) -> None:
        """End the stream, or break it with ``failure``, and wait for ``work``; further calls do nothing."""
        if self._thread.is_alive():
            self._queue.put(failure)
            self._thread.join()

    def result(self) -> T:
        """Return what ``work`` returned, or raise its failure; call it after ``end``."""
        if self.failure is not None:
            raise self.failure
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work(self._chunks()))
        except BaseException as error:
            self.failure = error
        self._ready.set()
        while not self._is_ended:
            # Others go on with the stream, so what comes after the end of the work is dropped.
            self._is_ended = _is_end(self._queue.get())

    def _chunks(self) -> Iterator[Chunk]:
        self._ready.set()
        while not self._is_ended:
            item = self._queue.get()
            self._is_ended = _is_end(item)
            if isinstance(item, BaseException):
                raise item
            if item is not None:
                yield item


def _is_end(item: Chunk | BaseException | None) -> bool:
    return item is None or isinstance(item, BaseException)
