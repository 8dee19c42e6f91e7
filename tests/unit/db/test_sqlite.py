"""SQLite keeps the data access contract, in a file and in memory."""

from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from glance_mini.db.interface import DataAccess, EventRules, no_events
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.testing.data_access import (
    CacheContract,
    JobAccessContract,
    MetadefContract,
    RecordContract,
    TakeOverContract,
)
from glance_mini.testing.tables import make_tables


def open_on(url: str) -> SqlDataAccess:
    """Return the data access on a database whose tables it makes."""
    engine = make_engine(url)
    make_tables(engine)
    return SqlDataAccess(engine)


class OnSqlite:
    url = ""

    def open_data_access(self, event_rules: EventRules = no_events) -> DataAccess:
        if not self.url:
            self.url = self.new_url()
            self.engine = make_engine(self.url)
            make_tables(self.engine)
        return SqlDataAccess(self.engine, event_rules=event_rules)


class InFile(OnSqlite):
    def new_url(self) -> str:
        return f"sqlite:///{Path(self.useFixture(TempDir()).path, 'test.db')}"


class InMemory(OnSqlite):
    def new_url(self) -> str:
        return "sqlite://"


class TestRecordsInFile(InFile, RecordContract, TestCase):
    pass


class TestJobsInFile(InFile, JobAccessContract, TestCase):
    pass


class TestRecordsInMemory(InMemory, RecordContract, TestCase):
    pass


class TestJobsInMemory(InMemory, JobAccessContract, TestCase):
    pass


class TestCachesInFile(InFile, CacheContract, TestCase):
    pass


class TestCachesInMemory(InMemory, CacheContract, TestCase):
    pass


class TestMetadefsInFile(InFile, MetadefContract, TestCase):
    pass


class TestTakeOverInFile(InFile, TakeOverContract, TestCase):
    pass


class TestTakeOverInMemory(InMemory, TakeOverContract, TestCase):
    pass


class TestMetadefsInMemory(InMemory, MetadefContract, TestCase):
    pass
