"""What is begun anew, what ends as Unavailable, and what an error tells."""

import sqlite3
from pathlib import Path
from threading import Thread, Timer

from fixtures import FakeLogger, TempDir
from oslo_db.exception import DBError
from testtools import TestCase
from testtools.matchers import Contains, Not

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.domain.quota import NO_LIMITS
from tests.contract.db.samples import MINE, sample


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
        image = data.create_image(sample(), NO_LIMITS)
        self.assertEqual(image, data.get_image(image.id, MINE))

    def test_write_gives_up_when_the_lock_stays(self):
        data = self.open(retries=2)
        self.lock()
        self.assertRaises(errors.Unavailable, data.create_image, sample(), NO_LIMITS)
        self.assertThat(self.logger.output, Contains("database is locked"))

    def test_reads_go_on_beside_a_write(self):
        data = self.open(retries=0)
        image = data.create_image(sample(), NO_LIMITS)
        self.lock()
        self.assertEqual(image, data.get_image(image.id, MINE))

    def test_failed_transaction_is_not_left_open(self):
        data = self.open(retries=0)
        image = data.create_image(sample(), NO_LIMITS)
        self.assertRaises(errors.Duplicate, data.create_image, image, NO_LIMITS)
        self.lock().execute("COMMIT")
        data.create_image(sample(), NO_LIMITS)

    def test_committed_writes_are_seen_by_other_connections(self):
        data = self.open(retries=0)
        data.create_image(sample(), NO_LIMITS)
        other = sqlite3.connect(self.path)
        self.addCleanup(other.close)
        self.assertEqual((1,), other.execute("SELECT count(*) FROM images").fetchone())

    def test_many_threads_share_the_pool(self):
        data = self.open(retries=20)
        image = data.create_image(sample(), NO_LIMITS)
        seen = []
        threads = [Thread(target=lambda: seen.append(data.get_image(image.id, MINE))) for _ in range(64)]
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


class TestDatabaseThatIsDown(TestCase):
    def setUp(self):
        super().setUp()
        self.logger = self.useFixture(FakeLogger())

    def test_service_is_unavailable_and_no_secret_is_told(self):
        for driver in ("postgresql", "mysql+pymysql"):
            data = SqlDataAccess(make_engine(f"{driver}://user:secret@127.0.0.1:1/glance"))
            self.addCleanup(data.close)
            for call in (data.ping, lambda data=data: data.create_image(sample(), NO_LIMITS)):
                error = self.assertRaises(errors.Unavailable, call)
                self.assertThat(str(error), Not(Contains("127.0.0.1")))
        self.assertThat(self.logger.output, Not(Contains("secret")))

    def test_sqlite_in_a_folder_that_is_missing_is_unavailable(self):
        data = SqlDataAccess(make_engine("sqlite:////nonexistent/folder/test.db"))
        self.assertRaises(errors.Unavailable, data.ping)


class TestErrorsOfStatements(TestCase):
    def test_values_are_not_told(self):
        logger = self.useFixture(FakeLogger())
        data = SqlDataAccess(make_engine("sqlite://"))
        self.addCleanup(data.close)
        error = self.assertRaises(DBError, data.create_image, sample(name="a secret name"), NO_LIMITS)
        self.assertThat(f"{error} {logger.output}", Not(Contains("a secret name")))
