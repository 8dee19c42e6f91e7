"""Tables that tests copy are those that the migrations make."""

from pathlib import Path

from fixtures import TempDir
from sqlalchemy import Engine, text
from testtools import TestCase

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.testing.tables import make_tables


class TestCopiedTables(TestCase):
    def query(self, engine: Engine, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def test_a_copy_in_memory_or_in_a_file_is_like_the_original(self) -> None:
        original = make_engine("sqlite://")
        schema.sync(original)
        self.addCleanup(original.dispose)
        for place in ("", f"/{Path(self.useFixture(TempDir()).path, 'test.db')}"):
            engine = make_engine(f"sqlite://{place}")
            self.addCleanup(engine.dispose)
            make_tables(engine)
            self.assertIsNone(schema.check(engine))
            parts = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
            self.assertEqual(self.query(original, parts), self.query(engine, parts))
            self.assertEqual([], self.query(engine, "SELECT id FROM images"))
        self.assertEqual([("wal",)], self.query(engine, "PRAGMA journal_mode"))
