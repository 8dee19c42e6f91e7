"""The migrations on SQLite, and their one line of history."""

from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from glance_mini.db.sqlalchemy import schema
from tests.migrations.contract import ROWS, MigrationContract, script


class TestMigrationsOnSqlite(MigrationContract, TestCase):
    def new_database(self) -> str:
        return f"sqlite:///{Path(self.useFixture(TempDir()).path, 'test.db')}"


class TestHistory(TestCase):
    def test_there_is_one_line_of_history_and_its_head_is_known(self):
        self.assertEqual([schema.HEAD], script().get_heads())

    def test_every_revision_is_tested_with_rows(self):
        self.assertEqual(set(ROWS), {revision.revision for revision in script().walk_revisions()})
