"""A large object is read in several ranges at once: in order, in bounded memory, and with nothing left behind."""

import threading
import time
from collections.abc import Callable, Iterator

import testtools

from glance_mini_store import errors
from glance_mini_store.buffers import MIB, Buffers
from glance_mini_store.ranges import RANGE, ParallelRanges, RangeMemory


class Server:
    """Gives ranges of ``size`` bytes; the block of a MiB holds its number. Counts its open ranges."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.open = self.most_open = 0
        self.asked: list[tuple[int, int]] = []
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.gate.set()
        self.broken_at: int | None = None

    def fetch(self, start: int, end: int) -> Iterator[bytes]:
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            self.asked.append((start, end))
        try:
            for offset in range(start, end, MIB):
                self.gate.wait(60)
                if self.broken_at is not None and offset >= self.broken_at:
                    raise errors.RemoteServiceUnavailable(reason="broken")
                yield self.block(offset)[: end - offset]
        finally:
            with self.lock:
                self.open -= 1

    def block(self, offset: int) -> bytes:
        """Return the MiB at ``offset``."""
        return (offset // MIB).to_bytes(4, "big") * (MIB // 4)

    def content(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.block(offset) for offset in range(0, self.size, MIB))[: self.size]


class TestParallelRanges(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = Server(9 * RANGE + 12345)
        self.buffers = Buffers(8 * RANGE, 0)

    def read(self, most: int) -> ParallelRanges:
        server, memory = self.server, RangeMemory(self.buffers, most)
        reading = ParallelRanges(server.fetch(0, RANGE), server.fetch, RANGE, server.size, memory)
        self.addCleanup(reading.close)
        return reading

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def assert_nothing_is_held(self) -> None:
        self.wait_until(lambda: not self.server.open)
        self.wait_until(lambda: self.buffers.borrow(4 * RANGE))
        self.buffers.give_back(4 * RANGE)

    def test_bytes_come_in_order_and_each_range_is_asked_for_once(self) -> None:
        for most in (2, 3, 4):
            self.server.asked.clear()
            self.assertEqual(self.server.content(), b"".join(self.read(most)))
            expected = [(start, min(start + RANGE, self.server.size)) for start in range(0, self.server.size, RANGE)]
            self.assertEqual(expected, sorted(self.server.asked))
            self.assert_nothing_is_held()

    def test_ranges_are_fetched_while_nothing_is_read_but_no_more_than_memory_was_lent_for(self) -> None:
        reading = self.read(3)
        self.wait_until(lambda: len(self.server.asked) == 3 and not self.server.open)
        time.sleep(0.1)
        self.assertEqual(3, len(self.server.asked))
        self.assertTrue(self.buffers.borrow(RANGE))
        self.assertFalse(self.buffers.borrow(1))
        self.buffers.give_back(RANGE)
        self.assertEqual(self.server.content(), b"".join(reading))

    def test_several_ranges_are_open_at_once(self) -> None:
        self.server.gate.clear()
        reading = self.read(4)
        self.wait_until(lambda: self.server.open == 4)
        self.server.gate.set()
        b"".join(reading)
        self.assertLessEqual(self.server.most_open, 5)

    def test_error_in_the_middle_comes_after_the_bytes_before_it(self) -> None:
        self.server.broken_at = 3 * RANGE + 2 * MIB
        reading, received = self.read(4), bytearray()

        def read_all() -> None:
            for block in reading:
                received.extend(block)

        self.assertRaises(errors.RemoteServiceUnavailable, read_all)
        self.assertEqual(self.server.content()[: self.server.broken_at], bytes(received))
        self.assertRaises(StopIteration, next, reading)
        self.assert_nothing_is_held()

    def test_early_close_ends_all_requests_and_gives_the_memory_back(self) -> None:
        self.server.gate.clear()
        reading = self.read(4)
        self.wait_until(lambda: self.server.open == 4)
        reading.close()
        self.server.gate.set()
        self.assert_nothing_is_held()
        self.assertRaises(StopIteration, next, reading)
        self.assertLess(len(self.server.asked), 6)

    def test_read_that_is_forgotten_gives_the_memory_back_too(self) -> None:
        memory = RangeMemory(self.buffers, 4)
        reading = ParallelRanges(iter((b"data",)), self.server.fetch, RANGE, self.server.size, memory)
        next(reading)
        del reading
        self.assert_nothing_is_held()

    def test_too_little_memory_is_none(self) -> None:
        for room, most, expected in ((4, 4, True), (4, 2, True), (2, 4, True), (1, 4, False), (4, 1, False)):
            self.assertTrue(self.buffers.borrow((4 - room) * RANGE))
            memory = RangeMemory(self.buffers, most)
            self.assertEqual(expected, bool(memory), (room, most))
            memory.end()
            self.buffers.give_back((4 - room) * RANGE)
            self.assert_nothing_is_held()
