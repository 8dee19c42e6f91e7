"""SQLite keeps the contract of jobs, staging, imports and stored events, in a file and in memory."""

from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from glance_mini.db.factory import Access
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.job_access import SqlJobAccess
from glance_mini.db.sqlalchemy.outbox_access import SqlOutboxAccess
from glance_mini.testing.tables import make_tables
from tests.contract.db.job_contract import JobAccessContract


def open_on(url: str) -> Access:
    """Return the data access layer on a database whose tables it makes."""
    engine = make_engine(url)
    make_tables(engine)
    data = SqlDataAccess(engine)
    return Access(data, SqlJobAccess(data.database), SqlOutboxAccess(data.database))


class TestJobsInSqliteFile(JobAccessContract, TestCase):
    def open_access(self) -> Access:
        return open_on(f"sqlite:///{Path(self.useFixture(TempDir()).path, 'test.db')}")


class TestJobsInSqliteMemory(JobAccessContract, TestCase):
    def open_access(self) -> Access:
        return open_on("sqlite://")
