"""What is special to PostgreSQL: the driver, and the statements that it prepares."""

import re
from dataclasses import replace
from datetime import timedelta
from threading import Timer

from sqlalchemy import event, literal, select, text

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
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


class StatementsTest(ServiceTestCase):
    """The statements of a change, with those that begin and end its transaction."""

    def setUp(self):
        super().setUp()
        self.engine = make_engine(self.fresh_database("postgresql"))
        self.addCleanup(self.engine.dispose)
        schema.sync(self.engine)
        self.data = SqlDataAccess(self.engine)
        self.image = sample(properties={"a": "1", "b": "2"}, tags=("s", "t"))
        self.found = []
        event.listen(self.engine, "before_cursor_execute", self.note)

    def note(self, connection, cursor, statement, *rest):
        self.found.append(statement)

    def statements_of(self, call):
        """Return the result of ``call`` and the first words of its statements."""
        self.found.clear()
        result = self.data.run(call)
        words = r"BEGIN|COMMIT|INSERT INTO \w+|UPDATE \w+|SELECT \w+"
        return result, [re.search(words, each)[0] for each in self.found]

    def used(self, project="mine"):
        return self.data.run(CountUsage(project))["image_count_total"]

    def test_image_is_created_changed_and_deleted_by_one_statement_each_and_no_transaction(self):
        first = self.data.run(creation(sample(owner="mine")))
        limits = Limits({"image_count_total": 2})
        for limit in (NO_LIMITS, limits):
            image, found = self.statements_of(replace(creation(replace(self.image, owner="mine")), limits=limit))
            # The row of the project is changed first, so that the limit holds.
            self.assertEqual(["UPDATE quota_usage"], found)
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
