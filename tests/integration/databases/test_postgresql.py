"""What is special to PostgreSQL: the driver, and the statements that it prepares."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from queue import Queue
from random import randrange
from threading import Timer

from fixtures import MonkeyPatch
from sqlalchemy import event, literal, select, text

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.spares import BLOCK, MAX_GIVEN_BACK
from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.domain.event import Event
from glance_mini.domain.quota import NO_LIMITS, Limits
from glance_mini.operations.event_log import ReadLastEvents
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.outbox import CountEvents
from glance_mini.operations.records import CountUsage, LoadImage, MarkDeleted, PurgeImages
from glance_mini.testing.data_access.samples import creation, sample
from tests.integration.base import ServiceTestCase

PARSED_ONCE = 4096
"""The driver parses the parameters of a longer statement each time."""

OFTEN = 10
"""The driver prepares a statement after it has come five times."""


class PreparedStatementsTest(ServiceTestCase):
    def prepared(self, url, **options):
        """Return how many statements a connection has prepared after one has come often."""
        engine = make_engine(url, **options)
        self.addCleanup(engine.dispose)
        with engine.connect() as connection:
            for number in range(OFTEN):
                self.assertEqual(number, connection.scalar(select(literal(number))))
            return connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))

    def test_repeated_statement_is_prepared_unless_that_is_switched_off(self):
        url = self.fresh_database("postgresql")
        self.assertEqual(1, self.prepared(url))
        self.assertEqual(0, self.prepared(url, prepared_statements=False))

    def test_address_with_the_former_driver_works(self):
        url = self.fresh_database("postgresql").replace("postgresql://", "postgresql+psycopg2://")
        self.assertEqual(1, self.prepared(url))

    def test_several_statements_have_the_result_of_the_last(self):
        engine = make_engine(self.fresh_database("postgresql"))
        self.addCleanup(engine.dispose)
        with engine.connect() as connection:
            self.assertEqual(2, connection.exec_driver_sql("BEGIN; SELECT 1; SELECT 2").scalar_one())
            connection.exec_driver_sql("ROLLBACK")


class DataTestCase(ServiceTestCase):
    """A test with data access to a database of its own."""

    def setUp(self):
        super().setUp()
        self.engine = make_engine(self.fresh_database("postgresql"))
        self.addCleanup(self.engine.dispose)
        schema.sync(self.engine)
        self.data = SqlDataAccess(self.engine)


class StatementsTest(DataTestCase):
    """The statements of a change, with those that begin and end its transaction."""

    def setUp(self):
        super().setUp()
        self.image = sample(properties={"a": "1", "b": "2"}, tags=("s", "t"))
        self.found = []
        event.listen(self.engine, "before_cursor_execute", self.note)

    def note(self, connection, cursor, statement, *rest):
        self.found.append(statement)

    def statements_of(self, call):
        """Return the result of ``call`` and the first words of its statements."""
        self.found.clear()
        result = self.data.run(call)
        self.assertLess(max(map(len, self.found)), PARSED_ONCE)
        words = r"BEGIN|COMMIT|DELETE FROM \w+|INSERT INTO \w+|UPDATE \w+|SELECT \w+"
        return result, [re.search(words, each)[0] for each in self.found]

    def used(self, project="mine"):
        return self.data.run(CountUsage(project))["image_count_total"]

    def test_image_is_created_changed_and_deleted_by_one_statement_each_and_no_transaction(self):
        first = self.data.run(creation(sample(owner="mine")))
        limits = Limits({"image_count_total": 2})
        for limit in (NO_LIMITS, limits):
            image, found = self.statements_of(replace(creation(replace(self.image, owner="mine")), limits=limit))
            # The project is counted first, so that the limit holds.
            self.assertEqual(["UPDATE quota_spares"], found)
            self.assertEqual(image, self.data.run(LoadImage(image.id)))
            self.assertEqual(2, self.used())
            changes = (
                PropertyChange("replace", "a", "3"),
                PropertyChange("remove", "b"),
                PropertyChange("add", "c", None),
                PropertyChange("add", "name", "new"),
                TagChange("remove", "s"),
                TagChange("add", "u"),
            )
            image, found = self.statements_of(UpdateImage(image.id, self.data.run(LoadImage(image.id)), changes))
            self.assertEqual(["UPDATE images"], found)
            current = self.data.run(LoadImage(image.id))
            self.assertEqual(
                (image, {"a": "3", "c": None}, {"t", "u"}), (current, current.properties, set(current.tags))
            )
            deleted, found = self.statements_of(MarkDeleted(image.id, current))
            self.assertEqual(["UPDATE images"], found)
            self.assertEqual((deleted.deleted_at, 1), (deleted.updated_at, self.used()))
            self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))
            self.assertRaises(errors.Duplicate, self.data.run, creation(replace(self.image, id=image.id)))
            self.image = sample(properties=self.image.properties, tags=self.image.tags)
        self.assertGreater(image.updated_at, first.updated_at)

    def test_events_of_the_log_are_stored_by_the_same_statement(self):
        name = '"updated_at":"9999-12-31T00:00:00Z" 100%'
        created = self.data.run(creation(sample(name=name)))
        changed, found = self.statements_of(UpdateImage(created.id, created, (TagChange("add", "u"),)))
        self.assertEqual(["UPDATE images"], found)
        deleted, found = self.statements_of(MarkDeleted(changed.id, self.data.run(LoadImage(changed.id))))
        self.assertEqual(["UPDATE images"], found)
        events = self.data.run(ReadLastEvents(10))
        self.assertEqual(["image.create", "image.update", "image.delete"], [each.type for each in events])
        self.assertEqual({"id": deleted.id}, events[2].data)
        for image, seen in zip((created, changed), events, strict=False):
            self.assertEqual(
                (name, f"{image.updated_at:%Y-%m-%dT%H:%M:%SZ}"), (seen.data["name"], seen.data["updated_at"])
            )

    def test_create_beyond_the_limit_writes_nothing(self):
        self.data.run(creation(sample(owner="mine")))
        image = sample(owner="mine")
        over = replace(creation(image), limits=Limits({"image_count_total": 1}))
        self.assertRaises(errors.LimitExceeded, self.data.run, over)
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))
        self.assertEqual(1, self.used())

    def test_id_in_use_is_not_counted(self):
        image = self.data.run(creation(sample(owner="mine")))
        self.assertRaises(errors.Duplicate, self.data.run, creation(image))
        self.data.run(MarkDeleted(image.id, image))
        self.data.run(PurgeImages(timedelta(0), 10))
        self.assertRaises(errors.Duplicate, self.data.run, creation(image))
        self.assertEqual(0, self.used())

    def test_image_of_a_project_that_is_not_counted_yet_is_deleted_by_a_transaction_that_counts_it(self):
        image = self.data.run(creation(sample(owner="mine")))
        self.data.run(creation(sample(owner="mine")))
        with self.engine.connect() as connection:
            connection.exec_driver_sql("DELETE FROM quota_usage")
        _, found = self.statements_of(MarkDeleted(image.id, image))
        self.assertIn("BEGIN", found)
        self.assertEqual(1, self.used())

    def test_image_that_has_changed_since_it_was_seen_is_locked_and_read(self):
        image = self.data.run(creation(self.image))
        self.data.run(UpdateImage(image.id, image, (TagChange("add", "u"),)))
        _, found = self.statements_of(UpdateImage(image.id, image, (TagChange("add", "v"),)))
        expected = [
            "UPDATE images",
            "BEGIN",
            "UPDATE images",
            "SELECT images",
            "SELECT images",
            "UPDATE images",
            "INSERT INTO event_log",
        ]
        self.assertEqual(expected, found)
        self.assertEqual({"s", "t", "u", "v"}, set(self.data.run(LoadImage(image.id)).tags))

    def test_events_that_are_stored_are_stored_in_the_transaction_of_the_change(self):
        event_of = Event("image.create", {"id": "x"}, "info", {}, "x")
        data = SqlDataAccess(self.engine, event_rules=lambda call, result, cause: (event_of,))
        self.found.clear()
        data.run(creation(sample(owner="mine")))
        self.assertEqual("BEGIN", self.found[0][:5])
        self.assertEqual(";COMMIT", self.found[-1][-7:])
        self.assertEqual(1, data.run(CountEvents()))

    def test_statement_that_waits_longer_than_a_read_may_is_done_in_a_transaction(self):
        image = self.data.run(creation(self.image))
        hasty = make_engine(self.engine.url.render_as_string(hide_password=False), read_timeout=0.2)
        self.addCleanup(hasty.dispose)
        with self.engine.connect() as other:
            other.exec_driver_sql("BEGIN")
            other.exec_driver_sql("SELECT id FROM images FOR UPDATE")
            end = Timer(0.6, lambda: other.exec_driver_sql("COMMIT"))
            end.start()
            changed = SqlDataAccess(hasty).run(UpdateImage(image.id, image, (TagChange("add", "u"),)))
            end.join()
        self.assertEqual({"s", "t", "u"}, set(changed.tags))
        self.assertEqual(changed, self.data.run(LoadImage(image.id)))

    def test_connection_that_the_server_has_ended_is_made_anew_before_the_statement(self):
        image = self.data.run(creation(self.image))
        self.end_connections()
        changed = self.data.run(UpdateImage(image.id, image, (TagChange("add", "u"),)))
        self.end_connections()
        self.data.run(creation(sample()))
        self.end_connections()
        self.data.run(MarkDeleted(image.id, changed))
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))

    def test_connection_that_is_lost_during_the_statement_is_unavailable(self):
        image = self.data.run(creation(self.image))
        with self.engine.connect() as other:
            other.exec_driver_sql("BEGIN")
            other.exec_driver_sql("SELECT id FROM images FOR UPDATE")
            end = Timer(0.3, self.end_connections, ("active",))
            end.start()
            change = UpdateImage(image.id, image, (TagChange("add", "u"),))
            self.assertRaises(errors.Unavailable, self.data.run, change)
            end.join()
            other.exec_driver_sql("COMMIT")
        self.assertEqual(image, self.data.run(LoadImage(image.id)))

    def end_connections(self, state="idle"):
        administrator = make_engine(self.engine.url.render_as_string(hide_password=False))
        with administrator.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                f" WHERE datname = current_database() AND state = '{state}' AND pid <> pg_backend_pid()"
            )
        administrator.dispose()


class SparesTest(DataTestCase):
    """What a project counts in advance, so that its creates do not wait for each other."""

    def setUp(self):
        super().setUp()
        self.is_filling = False
        self.useFixture(MonkeyPatch("glance_mini.db.sqlalchemy.images.single.randrange", self.pick))

    def pick(self, number):
        """Return the number by which a create fills a row or does not, as this test wants, or a random one."""
        return randrange(number) if self.is_filling is None else 0 if self.is_filling else number - 1

    def create(self, limit=None):
        limits = NO_LIMITS if limit is None else Limits({"image_count_total": limit})
        return self.data.run(creation(sample(owner="mine"), limits))

    def used(self):
        return self.data.run(CountUsage("mine"))["image_count_total"]

    def counted(self):
        """Return what the row of the project counts, and its spares."""
        with self.engine.connect() as connection:
            used = connection.scalar(text("SELECT used FROM quota_usage WHERE resource = 'image_count_total'"))
            return used, list(connection.scalars(text("SELECT spare FROM quota_spares")))

    def lock(self, table):
        """Lock all rows of ``table`` until the test ends the transaction of the returned connection."""
        connection = self.enterContext(self.engine.connect())
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(f"SELECT 1 FROM {table} FOR UPDATE")
        return connection

    def fill(self):
        """Create images until a row of spares is filled, and return them."""
        images = [self.create() for _ in range(BLOCK)]
        self.is_filling = True
        images.append(self.create())
        self.is_filling = False
        self.assertEqual((2 * BLOCK + 1, [BLOCK]), self.counted())
        return images

    def test_small_project_counts_nothing_in_advance(self):
        for number in range(1, BLOCK + 1):
            self.create()
            self.assertEqual((number, []), self.counted())

    def test_creates_and_deletes_of_a_large_project_do_not_wait_for_its_row(self):
        images = self.fill()
        other = self.lock("quota_usage")
        images += [self.create(1000) for _ in range(2)]
        self.data.run(MarkDeleted(images[-1].id, images[-1]))
        self.assertEqual(BLOCK + 2, self.used())
        other.exec_driver_sql("COMMIT")
        self.assertEqual((2 * BLOCK + 1, [BLOCK - 1]), self.counted())

    def test_spares_that_are_locked_are_passed_over(self):
        self.fill()
        other = self.lock("quota_spares")
        # A row that is not empty is not filled, so that this does not wait for it either.
        for self.is_filling in (False, True):
            image = self.create()
        self.assertEqual((2 * BLOCK + 3, [BLOCK]), self.counted())
        self.data.run(MarkDeleted(image.id, image))
        self.assertEqual((2 * BLOCK + 2, [BLOCK]), self.counted())
        other.exec_driver_sql("COMMIT")

    def test_room_is_not_counted_in_advance_beyond_the_limit(self):
        self.fill()
        for _ in range(BLOCK):
            self.create()
        self.is_filling = True
        self.create(3 * BLOCK + 1)
        self.assertEqual((2 * BLOCK + 2, [0]), self.counted())
        self.create(3 * BLOCK + 3)
        self.assertEqual((3 * BLOCK + 3, [BLOCK]), self.counted())

    def test_what_is_given_back_is_kept_up_to_a_bound(self):
        images = self.fill() + [self.create() for _ in range(2 * BLOCK)]
        for image in images:
            self.data.run(MarkDeleted(image.id, image))
        self.assertEqual((MAX_GIVEN_BACK, [MAX_GIVEN_BACK]), self.counted())
        self.assertEqual(0, self.used())

    def test_creates_and_deletes_at_once_are_counted_exactly_and_never_pass_the_limit(self):
        limit = 4 * BLOCK + 5
        kept = Queue()
        self.is_filling = None

        def work(number):
            refused = 0
            for turn in range(30):
                try:
                    kept.put(self.create(limit))
                except errors.LimitExceeded:
                    refused += 1
                if turn % 10 == number:
                    image = kept.get()
                    self.data.run(MarkDeleted(image.id, image))
            return refused

        with ThreadPoolExecutor(8) as pool:
            refused = sum(pool.map(work, range(8)))
        self.assertGreater(refused, 0)
        while True:
            with self.engine.connect() as connection:
                count = connection.scalar(text("SELECT count(*) FROM images WHERE NOT deleted"))
            self.assertEqual(count, self.used())
            self.assertLessEqual(count, limit)
            if count == limit:
                break
            self.create(limit)
        self.assertRaises(errors.LimitExceeded, self.create, limit)

    def test_limit_that_was_lowered_holds(self):
        self.fill()
        self.assertRaises(errors.LimitExceeded, self.create, BLOCK + 1)
        self.create(BLOCK + 2)
        self.assertEqual((BLOCK + 2, []), self.counted())

    def test_spares_of_a_project_that_is_counted_anew_are_dropped(self):
        self.fill()
        with self.engine.connect() as connection:
            connection.exec_driver_sql("DELETE FROM quota_usage")
        self.create()
        self.assertEqual(BLOCK + 2, self.used())
