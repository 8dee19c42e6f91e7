"""Made-up conversations with the service on each database: no failure, and what was answered holds."""

import fixtures
import testtools

from tests.integration.base import ServiceTestCase
from tests.integration.fuzz.conversation import converse, served

COUNT = 40
"""Conversations on each database; ``python -m tests.integration.fuzz conversations`` holds more of them."""
SEED = 1


class ConversationTest:
    """A mix-in: ``database`` is the address of an empty database, SQLite where None."""

    def assert_conversations_hold(self, database=None):
        service = self.useFixture(served(self.useFixture(fixtures.TempDir()).path, database))
        converse(service, COUNT, SEED)


class SQLiteConversationTest(ConversationTest, testtools.TestCase):
    def test_conversations_hold(self):
        self.assert_conversations_hold()


class PostgreSQLConversationTest(ConversationTest, ServiceTestCase):
    def test_conversations_hold(self):
        self.assert_conversations_hold(self.fresh_database("postgresql"))


class MariaDBConversationTest(ConversationTest, ServiceTestCase):
    def test_conversations_hold(self):
        self.assert_conversations_hold(self.fresh_database("mariadb"))
