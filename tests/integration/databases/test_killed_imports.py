"""Fifty imports whose workers are killed all the time, on the database servers."""

from tests.functional.test_faults_killed_imports import KilledImports
from tests.integration.base import ServiceTestCase


class OnServer(KilledImports):
    """Mix into a case of one ``server``; workers are killed more often than in the test on SQLite."""

    enough = 6

    def database(self):
        """Return the options that name a new database."""
        return {"database": {"connection": self.fresh_database(self.server)}}


class PostgresqlKilledImportsTest(OnServer, ServiceTestCase):
    server = "postgresql"


class MariadbKilledImportsTest(OnServer, ServiceTestCase):
    server = "mariadb"
