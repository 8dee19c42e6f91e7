"""What is special to PostgreSQL: the driver, and the statements that it prepares."""

from sqlalchemy import literal, select, text

from glance_mini.db.sqlalchemy.engine import make_engine
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
