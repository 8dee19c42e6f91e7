"""What is begun anew, what ends as Unavailable, which time a write has, and what an error shows."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from threading import Thread, Timer

from fixtures import FakeLogger, TempDir
from oslo_db.exception import DBConnectionError, DBDeadlock, DBError
from testtools import TestCase
from testtools.matchers import Contains, HasLength, Not

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.database import LOST_CONNECTION_RETRIES, Database
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.domain.clock import utcnow
from glance_mini.operations.records import LoadImage, Ping
from glance_mini.testing.data_access.samples import MINE, NOW, creation, sample


class TestLockedDatabase(TestCase):
    def setUp(self):
        super().setUp()
        self.path = Path(self.useFixture(TempDir()).path, "test.db")
        self.logger = self.useFixture(FakeLogger())

    def test_write_waits_for_another_process(self):
        data = self.open(retries=100)
        other = self.lock()
        timer = Timer(0.1, other.execute, ["COMMIT"])
        timer.start()
        self.addCleanup(timer.join)
        image = data.run(creation(sample()))
        self.assertEqual(image, data.run(LoadImage(image.id, MINE)))

    def test_time_of_a_write_is_that_after_its_wait_for_another_process(self):
        data = self.open(retries=100)
        other = self.lock()
        released = []

        def release():
            released.append(utcnow())
            other.execute("COMMIT")

        timer = Timer(0.1, release)
        timer.start()
        self.addCleanup(timer.join)
        image = data.run(creation(sample()))
        self.assertLessEqual(released, [image.created_at])

    def test_write_gives_up_when_the_lock_stays(self):
        data = self.open(retries=2)
        self.lock()
        self.assertRaises(errors.Unavailable, data.run, creation(sample()))
        self.assertThat(self.logger.output, Contains("database is locked"))

    def test_reads_go_on_beside_a_write(self):
        data = self.open(retries=0)
        image = data.run(creation(sample()))
        self.lock()
        self.assertEqual(image, data.run(LoadImage(image.id, MINE)))

    def test_failed_transaction_is_not_left_open(self):
        data = self.open(retries=0)
        image = data.run(creation(sample()))
        self.assertRaises(errors.Duplicate, data.run, creation(image))
        self.lock().execute("COMMIT")
        data.run(creation(sample()))

    def test_committed_writes_are_seen_by_other_connections(self):
        data = self.open(retries=0)
        data.run(creation(sample()))
        other = sqlite3.connect(self.path)
        self.addCleanup(other.close)
        self.assertEqual((1,), other.execute("SELECT count(*) FROM images").fetchone())

    def test_many_threads_share_the_pool(self):
        data = self.open(retries=20)
        image = data.run(creation(sample()))
        seen = []
        threads = [Thread(target=lambda: seen.append(data.run(LoadImage(image.id, MINE)))) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([image] * 64, seen)

    def open(self, retries):
        engine = make_engine(f"sqlite:///{self.path}", sqlite_busy_timeout=0.01)
        schema.sync(engine)
        data = SqlDataAccess(engine, conflict_retries=retries)
        self.addCleanup(data.close)
        return data

    def lock(self):
        """Hold the database as another process would."""
        other = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        return other


class TestWork(TestCase):
    """What a piece of work is given, and when it is begun anew."""

    def setUp(self):
        super().setUp()
        self.useFixture(FakeLogger())
        self.database = Database(make_engine("sqlite://"), conflict_retries=2)
        self.addCleanup(self.database.close)
        self.times = []

    def failing(self, *faults):
        """Return work that fails with ``faults``, one at each attempt, and then returns how often it was begun."""
        left = list(faults)

        def work(connection, now):
            self.times.append(now)
            if left:
                raise left.pop(0)
            return len(self.times)

        return work

    def test_work_is_given_the_time_of_the_call_or_else_that_of_the_server(self):
        for now, earliest, latest in ((NOW, NOW, NOW), (None, utcnow(), utcnow() + timedelta(minutes=1))):
            for given in (
                self.database.write(lambda connection, time: time, now),
                self.database.read_now(lambda connection, call, time: time, None, now),
            ):
                self.assertTrue(earliest <= given <= latest, given)

    def test_read_is_given_its_call(self):
        self.assertEqual("asked", self.database.read(lambda connection, call: call, "asked"))

    def test_transaction_that_lost_against_another_one_is_begun_anew_at_its_own_time(self):
        self.assertEqual(3, self.database.write(self.failing(DBDeadlock(), DBDeadlock())))
        self.assertEqual(sorted(set(self.times)), self.times)

    def test_transaction_that_always_loses_is_given_up(self):
        self.assertRaises(errors.Unavailable, self.database.write, self.failing(*[DBDeadlock()] * 3))
        self.assertThat(self.times, HasLength(3))

    def test_lost_connection_is_made_anew_a_few_times(self):
        lost = [DBConnectionError()] * LOST_CONNECTION_RETRIES
        self.assertEqual(1 + len(lost), self.database.write(self.failing(*lost)))
        self.assertRaises(errors.Unavailable, self.database.write, self.failing(DBConnectionError(), *lost))

    def test_other_errors_end_the_work_at_once(self):
        for error in (errors.Duplicate(kind="image", id="i"), DBError(), ZeroDivisionError()):
            self.times.clear()
            self.assertRaises(type(error), self.database.write, self.failing(error))
            self.assertThat(self.times, HasLength(1))


class TestDatabaseThatIsDown(TestCase):
    def setUp(self):
        super().setUp()
        self.logger = self.useFixture(FakeLogger())

    def test_service_is_unavailable_and_no_secret_is_shown(self):
        for driver in ("postgresql", "mysql+pymysql"):
            data = SqlDataAccess(make_engine(f"{driver}://user:secret@127.0.0.1:1/glance"))
            self.addCleanup(data.close)
            for call in (Ping(), creation(sample())):
                error = self.assertRaises(errors.Unavailable, data.run, call)
                self.assertThat(str(error), Not(Contains("127.0.0.1")))
        self.assertThat(self.logger.output, Not(Contains("secret")))

    def test_sqlite_in_a_folder_that_is_missing_is_unavailable(self):
        data = SqlDataAccess(make_engine("sqlite:////nonexistent/folder/test.db"))
        self.assertRaises(errors.Unavailable, data.run, Ping())


class TestErrorsOfStatements(TestCase):
    def test_values_are_not_shown(self):
        logger = self.useFixture(FakeLogger())
        data = SqlDataAccess(make_engine("sqlite://"))
        self.addCleanup(data.close)
        error = self.assertRaises(DBError, data.run, creation(sample(name="a secret name")))
        self.assertThat(f"{error} {logger.output}", Not(Contains("a secret name")))


class TestSlowReads(TestCase):
    def setUp(self):
        super().setUp()
        self.path = Path(self.useFixture(TempDir()).path, "test.db")
        self.useFixture(FakeLogger())

    def open(self, read_timeout):
        engine = make_engine(f"sqlite:///{self.path}", read_timeout=read_timeout)
        self.addCleanup(engine.dispose)
        return Database(engine)

    def test_read_that_takes_too_long_is_ended(self):
        database = self.open(read_timeout=0.1)
        self.assertRaises(errors.Unavailable, database.read, count_to, 10**9)

    def test_connection_works_after_a_read_was_ended(self):
        database = self.open(read_timeout=0.1)
        self.assertRaises(errors.Unavailable, database.read, count_to, 10**9)
        self.assertEqual(10, database.read(count_to, 10))

    def test_change_is_not_limited(self):
        database = self.open(read_timeout=0.001)
        self.assertEqual(10**6, database.write(lambda connection, now: count_to(connection, 10**6)))

    def test_limit_of_zero_is_no_limit(self):
        self.assertEqual(10**6, self.open(read_timeout=0).read(count_to, 10**6))


def count_to(connection, number):
    counted = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT max(i) FROM n"
    return connection.exec_driver_sql(counted, (number,)).scalar()
