"""The one kind of background thread: it repeats its work, survives what the work raises, and stops when it is told."""

import threading
import time
from collections.abc import Callable
from typing import Any

import fixtures
import testtools

from glance_mini.background import Background

WAIT = 20.0


class Work:
    """Counts its calls and raises one of ``errors`` at each of them; ``done`` is set at the call ``wanted``."""

    def __init__(self, wanted: int = 1, *errors: Exception) -> None:
        self.calls = 0
        self.done = threading.Event()
        self._wanted = wanted
        self._errors = list(errors)

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self._wanted:
            self.done.set()
        if self._errors:
            raise self._errors.pop(0)


class TestBackground(testtools.TestCase):
    def make(self, work: Callable[[], object], pause: Callable[[], float] = lambda: 0.001, **values: Any) -> Background:
        background = Background(self.id(), work, pause, "Nothing was done", **values)
        self.addCleanup(background.close)
        return background

    def thread_of(self, background: Background) -> threading.Thread:
        """Start and return the thread."""
        background.start()
        (thread,) = (each for each in threading.enumerate() if each.name == self.id())
        return thread

    def test_work_is_repeated_until_it_is_stopping(self) -> None:
        work = Work(3)
        background = self.make(work)
        thread = self.thread_of(background)
        self.assertTrue(work.done.wait(WAIT))
        background.close(WAIT)
        self.assertFalse(thread.is_alive())
        self.assertTrue(background.is_stopping)

    def test_first_call_comes_at_once(self) -> None:
        work = Work()
        self.make(work, lambda: 3600).start()
        self.assertTrue(work.done.wait(WAIT))

    def test_first_call_comes_after_a_pause_where_that_is_wanted(self) -> None:
        work, is_asked = Work(), threading.Event()

        def pause() -> float:
            is_asked.set()
            return 3600

        background = self.make(work, pause, is_first_at_once=False)
        thread = self.thread_of(background)
        self.assertTrue(is_asked.wait(WAIT))
        background.close(WAIT)
        self.assertEqual((0, False), (work.calls, thread.is_alive()))

    def test_work_that_waits_for_its_first_pause_comes_after_it(self) -> None:
        work = Work(2)
        self.make(work, is_first_at_once=False).start()
        self.assertTrue(work.done.wait(WAIT))

    def test_each_pause_is_asked_for_anew(self) -> None:
        work, pauses = Work(3), iter((0.001, 0.001, 3600.0))
        background = self.make(work, lambda: next(pauses))
        background.start()
        self.assertTrue(work.done.wait(WAIT))
        background.close(WAIT)
        self.assertEqual([], list(pauses))

    def test_work_goes_on_after_errors_which_are_logged(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        work = Work(3, ValueError("the first"), RuntimeError("the second"))
        self.make(work).start()
        self.assertTrue(work.done.wait(WAIT))
        self.assertEqual("Nothing was done: the first\nNothing was done: the second\n", log.output)

    def test_close_waits_for_the_round_in_hand_only_so_long(self) -> None:
        is_there, may_go = threading.Event(), threading.Event()
        self.addCleanup(may_go.set)

        def work() -> None:
            is_there.set()
            may_go.wait(WAIT)

        background = self.make(work)
        thread = self.thread_of(background)
        self.assertTrue(is_there.wait(WAIT))
        background.close(0.01)
        self.assertTrue(thread.is_alive())
        may_go.set()
        background.close(WAIT)
        self.assertFalse(thread.is_alive())

    def test_long_work_sees_that_it_is_stopping(self) -> None:
        is_there, is_seen = threading.Event(), threading.Event()

        def work() -> None:
            is_there.set()
            while not background.is_stopping:
                time.sleep(0.001)
            is_seen.set()

        background = self.make(work)
        background.start()
        self.assertTrue(is_there.wait(WAIT))
        background.close(WAIT)
        self.assertTrue(is_seen.is_set())

    def test_work_may_close_its_own_thread(self) -> None:
        threads = []

        def work() -> None:
            threads.append(threading.current_thread())
            may_go.wait(WAIT)
            background.close()

        may_go = threading.Event()
        background = self.make(work)
        thread = self.thread_of(background)
        may_go.set()
        thread.join(WAIT)
        self.assertEqual(([thread], False), (threads, thread.is_alive()))

    def test_one_that_was_never_started_is_stopping_without_a_word(self) -> None:
        work = Work()
        background = self.make(work)
        background.close()
        background.close()
        background.start()
        background.close(WAIT)
        self.assertEqual(0, work.calls)
