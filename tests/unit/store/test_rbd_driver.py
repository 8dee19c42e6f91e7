"""The rbd driver without Ceph: where its modules come from, its options, and its errors."""

import errno
import gc
import queue
import sys
import threading
import weakref
from typing import Any
from unittest import mock

from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.rbd import RbdDriver
from glance_mini_store.drivers.rbd.answers import NoAnswer, answer, number_of
from glance_mini_store.drivers.rbd.calls import MOST_LEFT, Calls
from glance_mini_store.drivers.rbd.cluster import Access
from glance_mini_store.drivers.rbd.draft import MIB, Draft, Form
from glance_mini_store.drivers.rbd.requests import Requests
from glance_mini_store.settings import resolve
from tests.http_server.running import eventually


class TestConfiguration(TestCase):
    def configure(self, **values: Any) -> RbdDriver:
        conf = cfg.ConfigOpts()
        conf([])
        resolve(conf, "group", RbdDriver.options)
        for name, value in values.items():
            conf.set_override(name, value, group="group")
        return RbdDriver.from_config(resolve(conf, "group", RbdDriver.options), "group")

    def test_missing_modules_are_named_with_the_packages_that_bring_them(self) -> None:
        with mock.patch.dict(sys.modules, {"rados": None, "rbd": None}):
            error = self.assertRaises(errors.DriverLoadFailure, self.configure)
        for words in (
            "it needs the Python package rados",
            "not on PyPI",
            "python3-rados and python3-rbd",
            "Python 3.11",
        ):
            self.assertIn(words, str(error))
        self.assertNotIn("pip install", str(error))

    def test_object_size_is_a_power_of_two(self) -> None:
        error = self.assertRaises(errors.BadStoreConfiguration, self.configure, rbd_store_chunk_size=12)
        self.assertIn("rbd_store_chunk_size: 12 is not a power of two", str(error))

    def test_every_operation_has_a_time_limit(self) -> None:
        expected = {
            "rbd_cache": "false",
            "rados_osd_op_timeout": "60",
            "rados_mon_op_timeout": "60",
            "client_mount_timeout": "5",
        }
        self.assertEqual(expected, Access("", None, 5, 60).settings())
        self.assertNotIn("client_mount_timeout", Access("", None, None, 60).settings())


class TestCalls(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.calls = Calls(0.01)
        self.silent = threading.Event()
        self.addCleanup(self.silent.set)

    def test_call_ends_as_its_work_does(self) -> None:
        def fail() -> None:
            raise ValueError("why")

        self.assertEqual(5, self.calls.run(lambda: 5, self.fail))
        self.assertRaises(ValueError, self.calls.run, fail, self.fail)
        self.assertEqual(0, self.calls.left)

    def test_slow_call_is_waited_for_while_ceph_answers(self) -> None:
        looks: list[int] = []

        def look() -> None:
            looks.append(1)
            if len(looks) == 3:
                self.silent.set()

        self.assertTrue(self.calls.run(self.silent.wait, look))
        self.assertEqual((3, 0), (len(looks), self.calls.left))

    def test_call_is_left_when_ceph_is_silent_and_is_counted_until_it_ends(self) -> None:
        def look() -> None:
            raise NoAnswer(reason="silent")

        for count in range(1, MOST_LEFT + 1):
            self.assertRaises(NoAnswer, self.calls.run, self.silent.wait, look)
            self.assertEqual(count, self.calls.left)
        error = self.assertRaises(errors.RemoteServiceUnavailable, self.calls.run, self.fail, look)
        self.assertIn("64 calls wait for an OSD", str(error))
        self.silent.set()
        while self.calls.left:
            pass
        self.assertEqual(5, self.calls.run(lambda: 5, look))


class PendingWrites:
    """An image of Ceph whose writes end when a test wants it."""

    def __init__(self) -> None:
        self.size = 0
        self.begun: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()

    def write(self, data: bytes, offset: int) -> int:
        end = threading.Event()
        self.begun.put(end)
        end.wait(30)
        return len(data)

    def ends(self, count: int) -> list[threading.Event]:
        """Wait until so many writes have begun; return what ends them."""
        return [self.begun.get(timeout=30) for _ in range(count)]

    def features(self) -> int:
        return 1

    def metadata_set(self, key: str, value: str) -> None:
        pass

    def resize(self, size: int) -> None:
        self.size = size

    def close(self) -> None:
        pass


class TestRequests(TestCase):
    """The calls of a transfer, which make as many threads as they need and no more."""

    def test_calls_run_at_once_up_to_the_limit_and_errors_come_back(self) -> None:
        requests = Requests[int](2)
        barrier = threading.Barrier(2)
        both = [requests.begin(lambda: barrier.wait(30)) for _ in range(2)]
        self.assertEqual({0, 1}, {each.take() for each in both})
        gate, running = threading.Event(), threading.Semaphore(0)

        def call() -> int:
            running.release()
            gate.wait(30)
            return 1

        several = [requests.begin(call) for _ in range(5)]
        self.assertTrue(all(running.acquire(timeout=30) for _ in range(2)))
        self.assertFalse(running.acquire(timeout=0.1))
        gate.set()
        self.assertEqual(5, sum(each.take() for each in several))
        self.assertRaises(ZeroDivisionError, requests.begin(lambda: 1 // 0).take)

    def test_what_a_call_held_is_free_at_once_also_after_an_error(self) -> None:
        class Held:
            def fail(self) -> int:
                raise ValueError

        gc.disable()
        self.addCleanup(gc.enable)
        held = Held()
        gone = weakref.ref(held)
        outcome = Requests[int](1).begin(held.fail)
        self.assertRaises(ValueError, outcome.take)
        del held
        self.assertTrue(eventually(lambda: gone() is None, "the call is forgotten"))


class TestBudget(TestCase):
    def draft(self, budget: Buffers) -> tuple[Draft, PendingWrites]:
        image = PendingWrites()
        library = mock.Mock(open_image=lambda *_: image)
        draft = Draft(library, mock.Mock(), "rbd://name", "name", Form(23, None, thin=False), 1, budget)
        draft.open(16 * MIB)
        return draft, image

    def test_requests_of_all_transfers_share_it_and_each_transfer_has_one_without(self) -> None:
        budget = Buffers(4 * MIB)
        (first, its), (second, others) = self.draft(budget), self.draft(budget)
        first.append(bytes(3 * MIB))
        begun = its.ends(3)
        self.assertFalse(budget.borrow(1))
        second.append(bytes(MIB))
        others.ends(1)[0].set()
        second.append(bytes(MIB))
        begun += others.ends(1)
        self.assertFalse(budget.borrow(1))
        for end in begun:
            end.set()
        first.close()
        second.close()
        self.assertTrue(budget.borrow(2 * MIB))

    def test_write_that_ceph_never_ends_fails_in_time(self) -> None:
        draft, image = self.draft(Buffers(0))
        draft.append(bytes(MIB))
        error = self.assertRaises(NoAnswer, draft.append, bytes(MIB))
        self.assertIn("timed out", str(error))
        image.ends(1)[0].set()


class TestAnswers(TestCase):
    LOCATION = "rbd://fsid/pool/image/snap"

    def test_each_number_is_the_error_that_callers_expect(self) -> None:
        expected = {
            (errno.ENOENT, False): errors.NotFound,
            (errno.EEXIST, True): errors.Duplicate,
            (errno.EBUSY, True): errors.InUseByStore,
            (errno.ENOTEMPTY, True): errors.HasSnapshot,
            (errno.ENOSPC, True): errors.StorageFull,
            (errno.EDQUOT, True): errors.StorageFull,
            (errno.EPERM, True): errors.StorageWriteDenied,
            (errno.EROFS, True): errors.StorageWriteDenied,
            (errno.EACCES, False): errors.Forbidden,
            (errno.ETIMEDOUT, False): NoAnswer,
            (errno.ESHUTDOWN, True): errors.RemoteServiceUnavailable,
            (errno.EIO, True): errors.RemoteServiceUnavailable,
        }
        found = {key: type(answer(key[0], self.LOCATION, writing=key[1])) for key in expected}
        self.assertEqual(expected, found)

    def test_error_without_a_number_is_an_input_output_error(self) -> None:
        self.assertEqual((errno.EIO, errno.EBUSY), (number_of(ValueError()), number_of(OSError(errno.EBUSY, "busy"))))
