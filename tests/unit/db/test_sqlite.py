"""SQLite keeps the data access contract, in a file and in memory."""

from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.testing.tables import make_tables
from tests.contract.db.contract import DataAccessContract


def open_on(url: str) -> SqlDataAccess:
    """Return the data access on a database whose tables it makes."""
    engine = make_engine(url)
    make_tables(engine)
    return SqlDataAccess(engine)


class TestSqliteFile(DataAccessContract, TestCase):
    def open_data_access(self) -> DataAccess:
        return open_on(f"sqlite:///{Path(self.useFixture(TempDir()).path, 'test.db')}")


class TestSqliteInMemory(DataAccessContract, TestCase):
    def open_data_access(self) -> DataAccess:
        return open_on("sqlite://")
