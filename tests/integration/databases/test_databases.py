"""PostgreSQL and MariaDB keep the data access contract and come back.

The tests of a class use one database after the other, and each finds it empty: to make the tables takes seconds.
"""

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import Engine, make_url, text

from glance_mini.db.interface import DataAccess, EventRules, no_events
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.database import Database
from glance_mini.db.sqlalchemy.engine import IDLE_IN_TRANSACTION, make_engine
from glance_mini.db.sqlalchemy.models import metadata, turns
from glance_mini.domain import errors
from glance_mini.operations.images import CreateImage, UpdateImage
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob, GetJob, RenewJobs
from glance_mini.operations.records import BeginTransfer, LoadImage, MarkDeleted, Ping
from glance_mini.testing.data_access import (
    CacheContract,
    JobAccessContract,
    MetadefContract,
    RecordContract,
    TakeOverContract,
)
from glance_mini.testing.data_access.job_samples import job
from glance_mini.testing.data_access.samples import LATER, LEASE, MINE, NOW, creation, sample, stored, transfer
from tests.integration.base import ServiceTestCase, create_database, drop_database
from tests.migrations.contract import MigrationContract

HOUR = timedelta(hours=1)

ELSEWHERE = """
import json, sys
from datetime import datetime, timedelta, timezone
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.operations.jobs import ClaimJob, PurgeJobs
from glance_mini.operations.records import TakeDueRemovals, TakeExpiredTransfers

data, minute = SqlDataAccess(make_engine(sys.argv[1])), timedelta(minutes=1)
claimed = data.run(ClaimJob("elsewhere", ("api_image_import",), minute))
print(json.dumps({
    "clock": datetime.now(timezone.utc).replace(tzinfo=None).isoformat(),
    "job": claimed and claimed.id,
    "purged": data.run(PurgeJobs(10)),
    "transfers": [one.id for one in data.run(TakeExpiredTransfers("elsewhere", frozenset(), minute))],
    "deletions": [one.id for one in data.run(TakeDueRemovals(minute))],
}))
data.close()
"""
"""What a node takes that it may take now, and the time that its own clock tells."""


class OnServer:
    server: ClassVar[str]
    without_foreign_keys: ClassVar[str]
    databases: ClassVar[list[Engine]]
    """What the tests before this one have left empty."""
    url = ""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.databases = []

    @classmethod
    def tearDownClass(cls) -> None:
        for engine in cls.databases:
            drop_database(engine.url)
        super().tearDownClass()

    def open_data_access(self, event_rules: EventRules = no_events) -> DataAccess:
        if not self.url:
            self.engine = self.databases.pop() if self.databases else self.new_database()
            self.url = self.engine.url.render_as_string(hide_password=False)
            self.addCleanup(self.empty)
        return SqlDataAccess(self.engine, event_rules=event_rules)

    def new_database(self) -> Engine:
        """Return the engine of a new database with tables."""
        engine = make_engine(create_database(self.service(self.server), self.server))
        schema.sync(engine)
        return engine

    def empty(self) -> None:
        """Remove all rows, but those that came with the tables, and keep the database for the next test."""
        with self.engine.begin() as connection:
            connection.execute(text(self.without_foreign_keys))
            for table in metadata.tables.values():
                if table is not turns:
                    connection.execute(table.delete())
        # The next connections have foreign keys again.
        self.engine.dispose()
        self.databases.append(self.engine)


class OnPostgresql(OnServer):
    server = "postgresql"
    without_foreign_keys = "SET session_replication_role = replica"
    patience = "SHOW idle_in_transaction_session_timeout"
    expected = f"{IDLE_IN_TRANSACTION // 60}min"


class OnMariadb(OnServer):
    server = "mariadb"
    without_foreign_keys = "SET foreign_key_checks = 0"
    patience = "SELECT @@idle_transaction_timeout"
    expected = IDLE_IN_TRANSACTION


class TestRecordsOnPostgresql(OnPostgresql, RecordContract, ServiceTestCase):
    pass


class TestRecordsOnMariadb(OnMariadb, RecordContract, ServiceTestCase):
    pass


class TestJobsOnPostgresql(OnPostgresql, JobAccessContract, ServiceTestCase):
    pass


class TestJobsOnMariadb(OnMariadb, JobAccessContract, ServiceTestCase):
    pass


class TestTakeOverOnPostgresql(OnPostgresql, TakeOverContract, ServiceTestCase):
    pass


class TestTakeOverOnMariadb(OnMariadb, TakeOverContract, ServiceTestCase):
    pass


class TestCachesOnPostgresql(OnPostgresql, CacheContract, ServiceTestCase):
    pass


class TestCachesOnMariadb(OnMariadb, CacheContract, ServiceTestCase):
    pass


class TestMetadefsOnPostgresql(OnPostgresql, MetadefContract, ServiceTestCase):
    pass


class TestMetadefsOnMariadb(OnMariadb, MetadefContract, ServiceTestCase):
    pass


class WrongClocks:
    """Nodes whose clocks are an hour off, before or after that of the database server."""

    def setUp(self) -> None:
        super().setUp()
        self.service("faketime")
        self.data = self.open_data_access()
        self.addCleanup(self.data.close)

    def elsewhere(self, offset: timedelta) -> dict[str, object]:
        """Return what a process takes whose clock is ``offset`` off, once it believes in that."""
        hours = f"{offset.total_seconds():+.0f}s"
        command = ["faketime", "-f", hours, sys.executable, "-c", ELSEWHERE, self.url]
        taken = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
        clock = datetime.fromisoformat(taken.pop("clock"))
        error = abs(clock - self.server_time() - offset)
        self.assertLess(error, timedelta(minutes=5), "the process has the clock of this machine")
        return taken

    def server_time(self) -> datetime:
        with self.engine.connect() as connection:
            clock = "clock_timestamp() AT TIME ZONE 'UTC'" if self.server == "postgresql" else "UTC_TIMESTAMP(6)"
            return connection.exec_driver_sql(f"SELECT {clock}").scalar_one()

    def test_it_steals_nothing_that_is_held(self):
        held = self.data.run(ClaimJob("here", ("api_image_import",), LEASE)) or self.claimed()
        uploading = self.data.run(CreateImage(base={"owner": "mine", "disk_format": "raw", "container_format": "bare"}))
        self.data.run(BeginTransfer(transfer(uploading), LEASE))
        deleted = self.data.run(creation(stored()))
        self.data.run(MarkDeleted(deleted.id))
        ended = self.claimed()
        self.data.run(FinishJob(ended, "success", {}, "", timedelta(minutes=30)))
        nothing = {"job": None, "purged": 0, "transfers": [], "deletions": []}
        for offset in (HOUR, -HOUR):
            self.assertEqual(nothing, self.elsewhere(offset))
        self.assertEqual({held.id}, self.data.run(RenewJobs("here", frozenset({held.id}), LEASE)))

    def test_what_it_takes_is_held_for_as_long_as_it_said(self):
        for offset in (HOUR, -HOUR):
            added = self.data.run(AddJob(job()))
            self.assertEqual(added.id, self.elsewhere(offset)["job"])
            lease = self.data.run(GetJob(added.id)).lease_until - self.server_time()
            self.assertLess(timedelta(seconds=1), lease)
            self.assertLessEqual(lease, timedelta(minutes=1))
            self.assertIsNone(self.data.run(ClaimJob("here", ("api_image_import",), LEASE)))

    def claimed(self):
        """Return a job that this node has claimed."""
        self.data.run(AddJob(job()))
        return self.data.run(ClaimJob("here", ("api_image_import",), LEASE))


class TestWrongClocksOnPostgresql(WrongClocks, OnPostgresql, ServiceTestCase):
    pass


class TestWrongClocksOnMariadb(WrongClocks, OnMariadb, ServiceTestCase):
    pass


class FaultContract:
    """What happens when the server ends connections or is gone for a while."""

    def setUp(self) -> None:
        super().setUp()
        self.data = self.open_data_access()
        self.addCleanup(self.data.close)

    def test_connections_that_the_server_ended_are_replaced(self):
        image = self.create()
        for call in (
            LoadImage(image.id, MINE),
            UpdateImage(image.id, changes=()),
            CreateImage(base={"owner": "mine"}),
            Ping(),
        ):
            self.end_connections()
            self.data.run(call)

    def test_database_that_is_gone_is_unavailable_and_served_again_when_it_is_back(self):
        image = self.create()
        self.lock_out()
        self.assertRaises(errors.Unavailable, self.data.run, LoadImage(image.id, MINE))
        self.assertRaises(errors.Unavailable, self.data.run, MarkDeleted(image.id), NOW)
        self.let_in()
        self.assertEqual(image, self.data.run(LoadImage(image.id, MINE)))
        self.data.run(MarkDeleted(image.id), LATER)

    def test_server_ends_the_transaction_of_a_machine_that_died_with_a_lock(self):
        with self.engine.connect() as connection:
            self.assertEqual(self.expected, connection.exec_driver_sql(self.patience).scalar())

    def create(self):
        return self.data.run(creation(sample()), NOW)

    def administer(self, *statements):
        """Run statements as the administrator of the server; return the rows of the last one."""
        engine = make_engine(self.service(self.server)[f"TEST_{self.server.upper()}_URL"])
        try:
            with engine.connect() as connection:
                for statement in statements:
                    result = connection.execute(text(statement))
                return result.all() if statements and result.returns_rows else []
        finally:
            engine.dispose()

    @property
    def database(self):
        return make_url(self.url).database


class TestFaultsOfPostgresql(FaultContract, OnPostgresql, ServiceTestCase):
    def end_connections(self):
        self.administer(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{self.database}'"
        )

    def lock_out(self):
        self.administer(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
        self.end_connections()

    def let_in(self):
        self.administer(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


class TestFaultsOfMariadb(FaultContract, OnMariadb, ServiceTestCase):
    def open_data_access(self) -> DataAccess:
        super().open_data_access().close()
        # A user of its own can be locked out, which a database cannot.
        self.user = f"u{self.database[-16:]}"
        self.administer(
            f"CREATE USER {self.user}@'%' IDENTIFIED BY 'secret'",
            f"GRANT ALL ON {self.database}.* TO {self.user}@'%'",
        )
        self.addCleanup(self.administer, f"DROP USER {self.user}@'%'")
        url = make_url(self.url).set(username=self.user, password="secret")
        return SqlDataAccess(make_engine(url.render_as_string(hide_password=False)))

    def end_connections(self):
        rows = self.administer(f"SELECT id FROM information_schema.processlist WHERE user = '{self.user}'")
        self.administer(*(f"KILL {row.id}" for row in rows))

    def lock_out(self):
        self.administer(f"ALTER USER {self.user}@'%' ACCOUNT LOCK")
        self.end_connections()

    def let_in(self):
        self.administer(f"ALTER USER {self.user}@'%' ACCOUNT UNLOCK")


class SlowReads:
    """A read has a limit of time, a change has none."""

    slow: ClassVar[str]

    def setUp(self) -> None:
        super().setUp()
        self.engine = make_engine(self.fresh_database(self.server), read_timeout=0.5)
        self.addCleanup(self.engine.dispose)
        self.database = Database(self.engine)

    def test_read_that_takes_too_long_is_ended(self):
        begin = time.monotonic()
        self.assertRaises(errors.Unavailable, self.database.read, self.take, 20)
        self.assertLess(time.monotonic() - begin, 5)
        self.database.read(self.take, 0)

    def test_change_is_not_limited(self):
        self.database.write(lambda connection, now: self.take(connection, 1.5))

    def test_read_after_a_change_is_limited_again(self):
        self.database.write(lambda connection, now: self.take(connection, 0.1))
        self.assertRaises(errors.Unavailable, self.database.read, self.take, 20)

    def take(self, connection, seconds):
        connection.exec_driver_sql(self.slow.format(seconds=seconds)).all()


class TestSlowReadsOnPostgresql(SlowReads, OnPostgresql, ServiceTestCase):
    slow = "SELECT pg_sleep({seconds})"


class TestSlowReadsOnMariadb(SlowReads, OnMariadb, ServiceTestCase):
    slow = "SELECT SLEEP({seconds})"


class TestMigrationsOnPostgresql(MigrationContract, ServiceTestCase):
    def new_database(self) -> str:
        return self.fresh_database("postgresql")


class TestMigrationsOnMariadb(MigrationContract, ServiceTestCase):
    def new_database(self) -> str:
        return self.fresh_database("mariadb")
