"""PostgreSQL and MariaDB keep the contract of jobs, staging, imports and stored events."""

from typing import ClassVar

from glance_mini.db.factory import Access
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.job_access import SqlJobAccess
from glance_mini.db.sqlalchemy.outbox_access import SqlOutboxAccess
from tests.contract.db.job_contract import JobAccessContract
from tests.integration.base import ServiceTestCase


class _OnServer(JobAccessContract):
    server: ClassVar[str]

    def open_access(self) -> Access:
        engine = make_engine(self.fresh_database(self.server))
        schema.sync(engine)
        data = SqlDataAccess(engine)
        return Access(data, SqlJobAccess(data.database), SqlOutboxAccess(data.database))


class TestJobsOnPostgresql(_OnServer, ServiceTestCase):
    server = "postgresql"


class TestJobsOnMariadb(_OnServer, ServiceTestCase):
    server = "mariadb"
