"""What is special to PostgreSQL: the driver, and the statements that it prepares."""

import re

from sqlalchemy import literal, select, text

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import LoadImage, MarkDeleted
from glance_mini.testing.data_access.samples import creation, sample
from glance_mini.testing.statements import count_statements
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
    """The statements of a transaction, without those that begin and end it."""

    def setUp(self):
        super().setUp()
        engine = make_engine(self.fresh_database("postgresql"))
        self.addCleanup(engine.dispose)
        schema.sync(engine)
        self.data = SqlDataAccess(engine)
        self.image = sample(properties={"a": "1", "b": "2"}, tags=("s", "t"))

    def statements_of(self, call):
        """Return the result of ``call`` and the first words of its statements."""
        with count_statements(self.data.engine) as found:
            result = self.data.run(call)
        return result, [re.search(r"INSERT INTO \w+|UPDATE \w+|SELECT", each)[0] for each in found]

    def test_image_is_written_by_one_statement_with_its_properties_and_tags(self):
        self.data.run(creation(sample()))
        image, found = self.statements_of(creation(self.image))
        self.assertEqual(["INSERT INTO images", "UPDATE quota_usage"], found)
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
        self.assertEqual((image, {"a": "3", "c": None}, {"t", "u"}), (current, current.properties, set(current.tags)))
        _, found = self.statements_of(MarkDeleted(image.id, current))
        self.assertEqual(["UPDATE images", "UPDATE quota_usage"], found)

    def test_image_that_has_changed_since_it_was_seen_is_locked_and_read(self):
        image = self.data.run(creation(self.image))
        self.data.run(UpdateImage(image.id, image, (TagChange("add", "u"),)))
        _, found = self.statements_of(UpdateImage(image.id, image, (TagChange("add", "v"),)))
        self.assertEqual(["UPDATE images", "SELECT", "SELECT", "UPDATE images"], found)
        self.assertEqual({"s", "t", "u", "v"}, set(self.data.run(LoadImage(image.id)).tags))
