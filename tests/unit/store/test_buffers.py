"""The budget of memory: a transfer takes all that it needs or waits, and gives it back."""

import os
import threading
import time
from contextlib import ExitStack

import testtools

from glance_mini_store.buffers import MIB, Buffers
from glance_mini_store.errors import BuffersExhausted


class Cancelled(Exception):
    """What the check of a cancelled job raises."""


class TestBuffers(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.held = ExitStack()
        self.addCleanup(self.held.close)

    def hold(self, buffers: Buffers, size: int) -> None:
        self.held.enter_context(buffers.share(size))

    def test_budget_is_never_passed_and_all_get_their_turn(self) -> None:
        buffers, lock, used, most, turns = Buffers(10, 60), threading.Lock(), 0, 0, 0

        def transfer(size: int) -> None:
            nonlocal used, most, turns
            for _ in range(50):
                with buffers.share(size):
                    with lock:
                        used += size
                        most = max(most, used)
                    time.sleep(0.0001)
                    with lock:
                        used -= size
                        turns += 1

        threads = [threading.Thread(target=transfer, args=(size,)) for size in (1, 2, 3, 4, 7, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual((300, 0), (turns, used))
        self.assertLessEqual(most, 10)

    def test_transfer_that_waits_too_long_is_refused_and_holds_nothing(self) -> None:
        buffers = Buffers(10, 0.05)
        self.hold(buffers, 6)
        for _ in range(3):
            self.assertRaises(BuffersExhausted, buffers.share(5).__enter__)
        self.hold(buffers, 4)

    def test_share_is_given_back_after_an_error(self) -> None:
        buffers = Buffers(10, 0)

        def fail() -> None:
            with buffers.share(10):
                raise ValueError

        for _ in range(3):
            self.assertRaises(ValueError, fail)

    def test_more_than_the_budget_is_all_of_it(self) -> None:
        buffers = Buffers(10, 0)
        with buffers.share(11):
            self.assertRaises(BuffersExhausted, buffers.share(1).__enter__)

    def test_job_waits_without_a_limit_until_it_is_cancelled(self) -> None:
        buffers, looks = Buffers(10, 0), 0

        def check() -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                raise Cancelled

        self.hold(buffers, 10)
        self.assertRaises(Cancelled, buffers.share(1, check).__enter__)
        self.held.close()
        self.hold(buffers, 10)

    def test_job_goes_on_as_soon_as_there_is_room(self) -> None:
        buffers, waiting = Buffers(10, 0), threading.Event()
        self.hold(buffers, 10)
        done = threading.Event()

        def job() -> None:
            with buffers.share(10, waiting.set):
                done.set()

        thread = threading.Thread(target=job)
        thread.start()
        self.assertTrue(waiting.wait(60))
        self.assertFalse(done.is_set())
        self.held.close()
        self.assertTrue(done.wait(60))
        thread.join(60)

    def test_work_with_a_budget_of_its_own_does_not_wait_for_the_rest(self) -> None:
        buffers = Buffers(10, 0)
        own = buffers.split(4)
        self.assertEqual((6, 4), (buffers.limit, own.limit))
        self.hold(buffers, 6)
        self.hold(own, 4)
        for each in (buffers, own):
            self.assertRaises(BuffersExhausted, each.share(1).__enter__)


class TestBorrowing(testtools.TestCase):
    def test_half_of_the_budget_stays_free_for_shares(self) -> None:
        buffers = Buffers(10, 0)
        self.assertEqual([True, True, False], [buffers.borrow(size) for size in (2, 3, 1)])
        with buffers.share(5):
            self.assertRaises(BuffersExhausted, buffers.share(1).__enter__)

    def test_nothing_is_lent_while_shares_need_the_half(self) -> None:
        buffers = Buffers(10, 0)
        with buffers.share(5):
            self.assertFalse(buffers.borrow(1))
        self.assertTrue(buffers.borrow(1))

    def test_share_that_waits_goes_on_when_memory_is_given_back(self) -> None:
        buffers, waiting, done = Buffers(10, 0), threading.Event(), threading.Event()
        self.assertTrue(buffers.borrow(5))

        def job() -> None:
            with buffers.share(10, waiting.set):
                done.set()

        thread = threading.Thread(target=job)
        thread.start()
        self.assertTrue(waiting.wait(60))
        self.assertFalse(done.is_set())
        buffers.give_back(5)
        self.assertTrue(done.wait(60))
        thread.join(60)


class TestBlocks(testtools.TestCase):
    def test_a_long_upload_gets_several_blocks_while_the_machine_is_quiet(self) -> None:
        buffers, processors = Buffers(64 * MIB, 0), os.cpu_count() or 1
        with ExitStack() as held:
            counts = [len(held.enter_context(buffers.blocks(None))) for _ in range(processors + 1)]
        self.assertEqual((4, 1), (counts[0], counts[-1]))
        for size, count in ((0, 1), (16 * MIB, 1), (16 * MIB + 1, 4)):
            with buffers.blocks(size) as blocks:
                self.assertEqual([4 * MIB] * count, [len(block) for block in blocks])

    def test_an_upload_is_content_with_one_block_where_memory_is_scarce(self) -> None:
        buffers = Buffers(64 * MIB, 0)
        with buffers.share(36 * MIB), buffers.blocks(None) as blocks:
            self.assertEqual(1, len(blocks))

    def test_blocks_are_used_again_until_nothing_runs_or_others_need_the_memory(self) -> None:
        buffers = Buffers(24 * MIB, 0)
        with buffers.share(1):
            with buffers.blocks(1) as blocks:
                blocks[0][:3] = b"old"
            with buffers.blocks(1) as blocks:
                self.assertEqual(b"old", bytes(blocks[0][:3]))
            with buffers.share(20 * MIB):
                pass
            with buffers.blocks(1) as blocks:
                self.assertEqual(bytes(3), bytes(blocks[0][:3]))
                blocks[0][:3] = b"old"
        with buffers.blocks(1) as blocks:
            self.assertEqual(bytes(3), bytes(blocks[0][:3]))
