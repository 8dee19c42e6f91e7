"""A backend that is reached over a network keeps the data access contract: nothing but plain values crosses."""

from testtools import TestCase

from glance_mini.db.interface import DataAccess, EventRules, no_events
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.testing.data_access import DataAccessContract
from glance_mini.testing.tables import make_tables
from tests.unit.db.wire import WireAccess


class TestWire(DataAccessContract, TestCase):
    def setUp(self) -> None:
        self.engine = make_engine("sqlite://")
        make_tables(self.engine)
        super().setUp()

    def open_data_access(self, event_rules: EventRules = no_events) -> DataAccess:
        return WireAccess(self.engine, event_rules=event_rules)
