"""A registry keeps the data access contract with PostgreSQL and SQLite behind it; each test has its own database."""

import testtools

from glance_mini.db.interface import no_events
from glance_mini.testing.data_access import (
    DataAccessContract,
    JobAccessContract,
    MetadefContract,
    RecordContract,
    TakeOverContract,
)
from tests.functional.faults import use_for_class
from tests.functional.registry import EVERY, EmptiedRegistry, access
from tests.functional.test_registry_contract import EventsOfRegistry, OnSqlite
from tests.integration.base import ServiceTestCase


class Through:
    """One registry for all tests of a class; each gives it a new database."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = use_for_class(cls, EmptiedRegistry())

    def setUp(self):
        self.database = self.fresh_database("postgresql")
        # A database is dropped only when nobody uses it.
        self.addCleanup(self.registry.empty)
        self.registry.empty("contract", self.database)
        super().setUp()

    def open_data_access(self, event_rules=no_events):
        """Return an access through the registry as a node with all roles."""
        return access(self.registry.port, node=EVERY, stores_events=event_rules is not no_events)


class TestRecords(Through, RecordContract, ServiceTestCase):
    pass


class TestJobs(Through, EventsOfRegistry, JobAccessContract, ServiceTestCase):
    pass


class TestTakeOver(Through, TakeOverContract, ServiceTestCase):
    pass


class TestMetadefs(Through, MetadefContract, ServiceTestCase):
    pass


class TestAllOnSqlite(OnSqlite, DataAccessContract, testtools.TestCase):
    pass
