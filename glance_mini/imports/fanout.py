"""Writes one stream to several stores at once: read once, hashed once, observed once.

A store that fails drops out and the others go on; data that is refused leaves nothing in any of them.
"""

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from glance_mini_store.intake import Observer
from glance_mini_store.store import Store, Stored
from glance_mini_store.streams import Hashes

_WAITING_BLOCKS = 4

Outcome = Stored | Exception


@dataclass(frozen=True)
class Copies:
    """What became of one stream: bytes, hex digests by algorithm, and for each store id what it has or why not."""

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
) -> Copies:
    """Write ``chunks`` (``size`` bytes, None: unknown) under ``name`` to every store, which may be none.

    Raises what ``chunks`` or an observer raises, with nothing left in any store. The failure of a store is its outcome,
    and the stream is read to its end as long as one of them takes it. Blocks.
    """
    lanes = [_Lane(store, name, size) for store in stores]
    try:
        count, digests = _feed(lanes, chunks, algorithms, observers)
    except BaseException as error:
        for lane in lanes:
            lane.end(error)
        _discard(lanes)
        raise
    for lane in lanes:
        lane.end(None)
    return Copies(count, digests, {lane.store.id: lane.outcome for lane in lanes})


def _feed(
    lanes: Sequence["_Lane"], chunks: Iterable[bytes], algorithms: Sequence[str], observers: Sequence[Observer]
) -> tuple[int, dict[str, str]]:
    count = 0
    with closing(Hashes(algorithms)) as hashes:
        for chunk in chunks:
            count += len(chunk)
            for lane in lanes:
                lane.put(chunk)
            for observer in observers:
                observer.update(chunk)
            hashes.update(chunk)
        for observer in observers:
            if (finish := getattr(observer, "finish", None)) is not None:
                finish()
        return count, hashes.finish()


def _discard(lanes: Sequence["_Lane"]) -> None:
    for lane in lanes:
        if isinstance(lane.outcome, Stored):
            lane.store.delete(lane.outcome.location)


class _Lane:
    """One store and the thread that writes to it, a few blocks behind."""

    def __init__(self, store: Store, name: str, size: int | None) -> None:
        self.store = store
        self.outcome: Outcome = RuntimeError("not written yet")
        self._name = name
        self._size = size
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING_BLOCKS)
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name=f"import-{store.id}", daemon=True)
        self._thread.start()

    def put(self, chunk: bytes) -> None:
        """Hand on a block; waits while the store is too far behind."""
        self._queue.put(chunk)

    def end(self, failure: BaseException | None) -> None:
        """End the stream, or break it by ``failure``, and wait for the store."""
        self._queue.put(failure)
        self._thread.join()

    def _run(self) -> None:
        try:
            self.outcome = self.store.write(self._name, self._blocks(), size=self._size, algorithms=())
        except BaseException as error:
            self.outcome = error if isinstance(error, Exception) else RuntimeError(repr(error))
        while not self._is_ended:
            # The others go on: what still comes for a store that failed is dropped.
            self._is_ended = not isinstance(self._queue.get(), bytes)

    def _blocks(self) -> Iterator[bytes]:
        while isinstance(block := self._queue.get(), bytes):
            yield block
        self._is_ended = True
        if block is not None:
            raise block
