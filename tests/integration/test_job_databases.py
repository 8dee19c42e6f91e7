"""PostgreSQL and MariaDB keep the contract of jobs, staging, imports and stored events."""

from typing import ClassVar

from glance_mini.db.factory import Access
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import STALLED, make_engine
from glance_mini.db.sqlalchemy.job_access import SqlJobAccess
from glance_mini.db.sqlalchemy.outbox_access import SqlOutboxAccess
from tests.contract.db.job_contract import JobAccessContract
from tests.integration.base import ServiceTestCase


class _OnServer(JobAccessContract):
    server: ClassVar[str]
    patience: ClassVar[str]
    expected: ClassVar[object]

    def open_access(self) -> Access:
        self.engine = make_engine(self.fresh_database(self.server))
        schema.sync(self.engine)
        data = SqlDataAccess(self.engine)
        return Access(data, SqlJobAccess(data.database), SqlOutboxAccess(data.database))

    def test_server_ends_the_transaction_of_a_machine_that_died_in_its_turn(self):
        with self.engine.connect() as connection:
            self.assertEqual(self.expected, connection.exec_driver_sql(self.patience).scalar())


class TestJobsOnPostgresql(_OnServer, ServiceTestCase):
    server = "postgresql"
    patience = "SHOW idle_in_transaction_session_timeout"
    expected = f"{STALLED // 60}min"


class TestJobsOnMariadb(_OnServer, ServiceTestCase):
    server = "mariadb"
    patience = "SELECT @@idle_transaction_timeout"
    expected = STALLED
