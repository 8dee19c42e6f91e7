"""Leases while a process lives."""

import threading
from datetime import datetime
from typing import Any

import fixtures
import testtools

from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import Unavailable
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.operations.records import (
    RenewLeases,
)
from tests.unit.maintenance.case import LEASE, WAIT


class TestLeases(testtools.TestCase):
    """What is asked of the data access is the whole of what a lease keeper does."""

    def setUp(self) -> None:
        super().setUp()
        self.data = Renewing()
        self.leases = LeaseKeeper(self.data, 60)

    def test_only_what_is_held_is_renewed(self) -> None:
        self.leases.renew()
        self.assertEqual([], self.data.calls)
        with self.leases.holding("a"), self.leases.holding("b"):
            self.leases.renew()
        with self.leases.holding("b"):
            self.leases.renew()
        self.leases.renew()
        held = [frozenset({"a", "b"}), frozenset({"b"})]
        self.assertEqual([RenewLeases(self.leases.process, each, LEASE) for each in held], self.data.calls)

    def test_a_lease_is_not_held_after_its_block_however_that_ends(self) -> None:
        def fail() -> None:
            with self.leases.holding("a"):
                raise KeyError

        self.assertRaises(KeyError, fail)
        self.assertEqual(frozenset(), self.leases.held())

    def test_a_failing_renewal_is_logged_and_the_next_one_works(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        self.data.failures.append(Unavailable(reason="no database"))
        self.run_in_thread()
        self.assertIn("The leases of transfers were not renewed: no database", log.output)
        self.assertEqual([], self.data.failures)

    def test_every_keeper_is_another_process(self) -> None:
        self.assertNotEqual(self.leases.process, LeaseKeeper(self.data, 60).process)

    def test_the_thread_renews_until_it_is_closed(self) -> None:
        before = set(threading.enumerate())
        leases = self.run_in_thread()
        (thread,) = (one for one in threading.enumerate() if one.name == "leases" and one not in before)
        leases.close()
        thread.join(WAIT)
        self.assertFalse(thread.is_alive())

    def run_in_thread(self) -> LeaseKeeper:
        """Return a keeper whose thread has renewed a lease."""
        leases = LeaseKeeper(self.data, 0)
        self.addCleanup(leases.close)
        with leases.holding("a"):
            leases.start()
            self.assertTrue(self.data.is_renewed.wait(WAIT))
        return leases


class Renewing(DataAccess):
    """A data access that keeps the renewals it is asked for; ``failures`` are raised before."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.failures: list[Exception] = []
        self.is_renewed = threading.Event()

    def run(self, call: Any, now: datetime | None = None, cause: Cause | None = None) -> Any:
        if self.failures:
            raise self.failures.pop()
        self.calls.append(call)
        self.is_renewed.set()

    def close(self) -> None:
        pass
