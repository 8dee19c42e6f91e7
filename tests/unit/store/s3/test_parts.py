"""Objects of s3 in parts: sizes, memory, and sending."""

import threading
from concurrent.futures import wait

import testtools

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.s3.exclusion import NamesInWork
from glance_mini_store.drivers.s3.parts import (
    GIB,
    LARGEST_OBJECT,
    LARGEST_PART,
    MEMORY,
    MIB,
    MOST_PARTS,
    held_parts,
    is_in_memory,
    part_size,
)
from glance_mini_store.drivers.s3.sending import Sending
from glance_mini_store.drivers.s3.source import Source, new_buffer


class PartsTest(testtools.TestCase):
    def parts_of(self, size, smallest, announced):
        """Return how many parts an object of ``size`` bytes has, and the largest."""
        offset = count = largest = 0
        while offset < size:
            part = part_size(offset, smallest, announced)
            offset, count, largest = offset + part, count + 1, max(largest, part)
        return count, largest

    def test_ten_thousand_parts_reach_the_largest_object(self):
        for smallest in (5 * MIB, 10 * MIB, 64 * MIB, 550 * MIB, 5 * GIB):
            for announced in (None, LARGEST_OBJECT):
                count, largest = self.parts_of(LARGEST_OBJECT, smallest, announced)
                self.assertLessEqual(count, MOST_PARTS, (smallest, announced))
                self.assertLessEqual(largest, LARGEST_PART, (smallest, announced))

    def test_every_size_fits_the_number_of_parts(self):
        for size in (1, 5 * MIB, 48 * GIB, 100 * GIB, 97 * GIB + 1, 1024 * GIB, LARGEST_OBJECT - 1):
            for announced in (None, size):
                self.assertLessEqual(self.parts_of(size, 5 * MIB, announced)[0], MOST_PARTS, (size, announced))

    def test_parts_have_the_configured_size_as_long_as_that_is_enough(self):
        self.assertEqual(10 * MIB, part_size(0, 10 * MIB, None))
        self.assertEqual(10 * MIB, part_size(39 * GIB, 10 * MIB, None))
        self.assertEqual(10 * MIB, part_size(0, 10 * MIB, 97 * GIB))
        self.assertEqual(11 * MIB, part_size(0, 10 * MIB, 98 * GIB))
        self.assertEqual((100, 10 * MIB), self.parts_of(1000 * MIB, 10 * MIB, None))

    def test_parts_in_memory_take_no_more_than_the_limit(self):
        for part in range(5 * MIB, 17 * MIB, MIB):
            for threads in (1, 2, 10, 1000):
                if is_in_memory(part):
                    self.assertLessEqual(part * held_parts(part, threads), MEMORY, (part, threads))
        self.assertFalse(is_in_memory(16 * MIB + 1))

    def test_one_part_is_filled_while_others_are_sent(self):
        self.assertEqual(2, held_parts(10 * MIB, 1))
        self.assertEqual(3, held_parts(10 * MIB, 10))
        self.assertEqual(6, held_parts(5 * MIB, 10))
        self.assertEqual(2, held_parts(GIB, 10))


class SourceTest(testtools.TestCase):
    def test_buffers_take_the_bytes_of_chunks_of_any_size_in_order(self):
        data = bytes(range(256)) * 40
        for step in (1, 7, 1000, 4096, len(data)):
            source = Source(memoryview(data)[start : start + step] for start in range(0, len(data), step))
            taken = []
            while True:
                buffer = new_buffer(4096, Buffers())
                buffer.fill(source)
                taken.append(bytes(buffer.data))
                if not buffer.is_full:
                    break
            self.assertEqual(data, b"".join(taken))
            self.assertEqual([4096, 4096, 2048], [len(part) for part in taken])

    def test_large_part_is_in_a_file(self):
        buffer = new_buffer(16 * MIB + 1, Buffers())
        self.addCleanup(buffer.close)
        for data in (b"first content", b"second"):
            buffer.fill(Source([data[:3], data[3:]]))
            self.assertEqual((len(data), data), (buffer.filled, buffer.data.read()))
            self.assertFalse(buffer.is_full)

    def test_error_of_the_source_passes_unchanged(self):
        failure = OSError("of the source")

        def chunks():
            yield b"data"
            raise failure

        for size in (10, 16 * MIB + 1):
            buffer = new_buffer(size, Buffers())
            self.addCleanup(buffer.close)
            error = self.assertRaises(OSError, buffer.fill, Source(chunks()))
            self.assertIs(failure, error)


class SendingTest(testtools.TestCase):
    """Parts are sent while the budget lends memory for them."""

    PART = 5 * MIB

    def setUp(self):
        super().setUp()
        self.gate = threading.Semaphore(0)
        self.sent = {}

    def send(self, number, buffer):
        """Send a part when the gate lets it pass."""
        self.gate.acquire()
        self.sent[number] = buffer.data.read() if hasattr(buffer.data, "read") else bytes(buffer.data)
        return f"etag {number}"

    def sending(self, budget):
        sending = Sending(self.send, 10, budget)
        self.addCleanup(sending.close)
        self.addCleanup(self.gate.release, 100)
        return sending

    def fill_and_send(self, sending, number):
        """Send a part of one byte that is its number, and return its buffer."""
        buffer = sending.buffer(self.PART)
        buffer.fill(Source([bytes([number])]))
        sending.send(buffer)
        return buffer

    def test_as_many_parts_are_held_as_the_budget_lends(self):
        budget = Buffers(30 * MIB, 0)
        sending = self.sending(budget)
        buffers = [self.fill_and_send(sending, number) for number in range(3)]
        self.assertFalse(budget.borrow(1))
        self.gate.release()
        # Nothing more is lent, so it waits for the part that passes the gate.
        self.assertIn(self.fill_and_send(sending, 3), buffers)
        self.gate.release(3)
        self.assertEqual([f"etag {number}" for number in (1, 2, 3, 4)], sending.finish())
        self.assertEqual({1: b"\0", 2: b"\1", 3: b"\2", 4: b"\3"}, self.sent)
        sending.close()
        self.assertTrue(budget.borrow(15 * MIB))

    def test_without_memory_one_part_at_a_time_goes_through_a_file(self):
        budget = Buffers(30 * MIB, 0)
        self.assertTrue(budget.borrow(15 * MIB))
        sending = self.sending(budget)
        self.gate.release(3)
        buffers = {id(self.fill_and_send(sending, number)) for number in range(3)}
        self.assertEqual(["etag 1", "etag 2", "etag 3"], sending.finish())
        self.assertEqual({1: b"\0", 2: b"\1", 3: b"\2"}, self.sent)
        self.assertEqual(1, len(buffers))

    def test_parts_that_were_sent_meanwhile_are_used_again(self):
        sending = self.sending(Buffers(1024 * MIB, 0))
        self.gate.release(100)
        first = self.fill_and_send(sending, 0)
        wait(list(sending._pending), 60)
        self.assertIs(first, self.fill_and_send(sending, 1))

    def test_failed_part_is_told_and_all_memory_is_given_back(self):
        budget, failure = Buffers(30 * MIB, 0), errors.StorageFull(reason="full")

        def fail(number, buffer):
            raise failure

        sending = Sending(fail, 10, budget)
        self.assertIs(failure, self.assertRaises(errors.StorageFull, self._send_until_it_fails, sending))
        sending.close()
        self.assertTrue(budget.borrow(15 * MIB))

    def _send_until_it_fails(self, sending):
        for number in range(100):
            self.fill_and_send(sending, number)


class NamesInWorkTest(testtools.TestCase):
    def test_name_is_held_once_and_free_afterwards(self):
        names = NamesInWork()
        with names.holding("a") as first, names.holding("a") as second, names.holding("b") as other:
            self.assertEqual((True, False, True), (first, second, other))
        with names.holding("a") as again:
            self.assertTrue(again)
