"""Writes one stream to several stores at once; it is read, hashed and observed once.

A store that fails drops out and the others continue, while enough of them are left. Refused data is removed from all of
them.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from glance_mini.content.hashes import hashes_beside
from glance_mini.domain.errors import GlanceMiniError
from glance_mini_store import errors as store_errors
from glance_mini_store.checked_stream import Observer
from glance_mini_store.store import Store, Stored

LOG = logging.getLogger(__name__)

_WAITING_BLOCKS = 4

Outcome = Stored | Exception


class NotWritten(GlanceMiniError):
    """Too many stores failed; ``failures`` holds the error of each by store id."""

    code = "import.not_written"
    template = "{reason}"

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        super().__init__(reason="; ".join(f"{store}: {failure}" for store, failure in failures.items()))
        self.failures = failures


class _Broken(Exception):
    """The stream has ended early; each store gets an error of its own, because a driver may mark it."""


@dataclass(frozen=True)
class Copies:
    """The result of one stream: size in bytes, hex digests by algorithm, and by store id the copy or the error."""

    size: int
    digests: Mapping[str, str]
    outcomes: Mapping[str, Outcome]


def write_to_stores(
    stores: Sequence[Store],
    name: str,
    chunks: Iterable[bytes],
    *,
    size: int | None = None,
    algorithms: Sequence[str] = (),
    observers: Sequence[Observer] = (),
    may_fail: int = 0,
    leave: Callable[[Store], None] = lambda store: None,
) -> Copies:
    """Write ``chunks`` (``size`` bytes, None: unknown) under ``name`` to every store and return the copies.

    ``stores`` may be empty. An error of a store is its outcome; raises NotWritten as soon as more than ``may_fail``
    have failed. Raises SizeMismatch and what ``chunks`` or an observer raises. After any error, nothing is left in the
    stores that still answer, and ``leave`` is called with each of the others that may have kept data. Blocks.
    """
    lanes = [_Lane(store, name, size, is_copy=number > 0) for number, store in enumerate(stores)]
    try:
        count, digests = _feed(lanes, chunks, size, algorithms, observers, may_fail)
        for lane in lanes:
            lane.end(None)
        _check_failures(lanes, may_fail)
    except BaseException as error:
        for lane in lanes:
            lane.end(error)
        _discard(lanes, leave)
        raise
    return Copies(count, digests, {lane.store.id: lane.result() for lane in lanes})


def _feed(
    lanes: Sequence["_Lane"],
    chunks: Iterable[bytes],
    size: int | None,
    algorithms: Sequence[str],
    observers: Sequence[Observer],
    may_fail: int,
) -> tuple[int, dict[str, str]]:
    count = 0
    with closing(hashes_beside(algorithms)) as hashes:
        for chunk in chunks:
            count += len(chunk)
            if size is not None and count > size:
                raise store_errors.SizeMismatch(expected=size, received=count)
            for lane in lanes:
                lane.put(chunk)
            _check_failures(lanes, may_fail)
            for observer in observers:
                observer.update(chunk)
            hashes.update(chunk)
        if size is not None and count != size:
            raise store_errors.SizeMismatch(expected=size, received=count)
        for observer in observers:
            if (finish := getattr(observer, "finish", None)) is not None:
                finish()
        return count, hashes.finish()


def _check_failures(lanes: Sequence["_Lane"], may_fail: int) -> None:
    failures = {lane.store.id: lane.outcome for lane in lanes if isinstance(lane.outcome, Exception)}
    if len(failures) > may_fail:
        raise NotWritten(failures)


def _discard(lanes: Sequence["_Lane"], leave: Callable[[Store], None]) -> None:
    for lane in lanes:
        if isinstance(lane.outcome, Stored):
            try:
                lane.store.delete(lane.outcome.location)
            except store_errors.NotFound:
                continue
            except store_errors.StoreError as error:
                LOG.warning("Unwanted data in store %s could not be removed: %s", lane.store.id, error)
                leave(lane.store)
        elif lane.outcome is not None and store_errors.has_leftovers(lane.outcome):
            leave(lane.store)


class _Lane:
    """One store and the thread that writes to it, a few blocks behind; ``outcome`` is None until it is known."""

    def __init__(self, store: Store, name: str, size: int | None, is_copy: bool) -> None:
        self.store = store
        self.outcome: Outcome | None = None
        self._name = name
        self._size = size
        self._is_copy = is_copy
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING_BLOCKS)
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name=f"import-{store.id}", daemon=True)
        self._thread.start()

    def put(self, chunk: bytes) -> None:
        """Pass a block to the store; waits while the store is too far behind."""
        self._queue.put(chunk)

    def end(self, failure: BaseException | None) -> None:
        """End the stream, or break it with ``failure``, and wait for the store; further calls do nothing."""
        if self._thread.is_alive():
            self._queue.put(failure)
            self._thread.join()

    def result(self) -> Outcome:
        """Return the outcome; call it after ``end``."""
        assert self.outcome is not None
        return self.outcome

    def _run(self) -> None:
        try:
            self.outcome = self.store.write(
                self._name, self._blocks(), size=self._size, algorithms=(), is_copy=self._is_copy
            )
        except BaseException as error:
            self.outcome = error if isinstance(error, Exception) else RuntimeError(repr(error))
        while not self._is_ended:
            # The other stores continue, so further blocks for a failed store are dropped.
            self._is_ended = not isinstance(self._queue.get(), bytes)

    def _blocks(self) -> Iterator[bytes]:
        while isinstance(block := self._queue.get(), bytes):
            yield block
        self._is_ended = True
        if block is not None:
            raise _Broken from block
