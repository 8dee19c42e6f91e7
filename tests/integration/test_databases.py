"""PostgreSQL and MariaDB keep the data access contract and come back; each test has a database of its own."""

from typing import ClassVar

from sqlalchemy import make_url, text

from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.domain.quota import NO_LIMITS
from tests.contract.db.contract import DataAccessContract
from tests.contract.db.samples import LATER, MINE, NOW, sample
from tests.integration.base import ServiceTestCase
from tests.migrations.contract import MigrationContract


class _OnServer(DataAccessContract):
    server: ClassVar[str]

    def open_data_access(self) -> DataAccess:
        self.url = self.fresh_database(self.server)
        engine = make_engine(self.url)
        schema.sync(engine)
        return SqlDataAccess(engine)

    def test_connections_that_the_server_ended_are_replaced(self):
        image = self.create()
        for call in (
            lambda: self.data.get_image(image.id, MINE),
            lambda: self.data.update_image(image.id, (), LATER, NO_LIMITS),
            lambda: self.data.create_image(sample(), NO_LIMITS),
            self.data.ping,
        ):
            self.end_connections()
            call()

    def test_database_that_is_gone_is_unavailable_and_served_again_when_it_is_back(self):
        image = self.create()
        self.lock_out()
        self.assertRaises(errors.Unavailable, self.data.get_image, image.id, MINE)
        self.assertRaises(errors.Unavailable, self.data.delete_image, image.id, NOW)
        self.let_in()
        self.assertEqual(image, self.data.get_image(image.id, MINE))
        self.data.delete_image(image.id, NOW)

    def administer(self, *statements):
        """Run statements as the administrator of the server; return the rows of the last one."""
        engine = make_engine(self.service(self.server)[f"TEST_{self.server.upper()}_URL"])
        try:
            with engine.connect() as connection:
                for statement in statements:
                    result = connection.execute(text(statement))
                return result.all() if statements and result.returns_rows else []
        finally:
            engine.dispose()

    @property
    def database(self):
        return make_url(self.url).database


class TestPostgresql(_OnServer, ServiceTestCase):
    server = "postgresql"

    def end_connections(self):
        self.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.database}'")

    def lock_out(self):
        self.administer(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
        self.end_connections()

    def let_in(self):
        self.administer(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


class TestMariadb(_OnServer, ServiceTestCase):
    server = "mariadb"

    def open_data_access(self) -> DataAccess:
        super().open_data_access().close()
        # A user of its own can be locked out, which a database cannot.
        self.user = f"u{self.database[-16:]}"
        self.administer(
            f"CREATE USER {self.user}@'%' IDENTIFIED BY 'secret'",
            f"GRANT ALL ON {self.database}.* TO {self.user}@'%'",
        )
        self.addCleanup(self.administer, f"DROP USER {self.user}@'%'")
        url = make_url(self.url).set(username=self.user, password="secret")
        return SqlDataAccess(make_engine(url.render_as_string(hide_password=False)))

    def end_connections(self):
        rows = self.administer(f"SELECT id FROM information_schema.processlist WHERE user = '{self.user}'")
        self.administer(*(f"KILL {row.id}" for row in rows))

    def lock_out(self):
        self.administer(f"ALTER USER {self.user}@'%' ACCOUNT LOCK")
        self.end_connections()

    def let_in(self):
        self.administer(f"ALTER USER {self.user}@'%' ACCOUNT UNLOCK")


class TestMigrationsOnPostgresql(MigrationContract, ServiceTestCase):
    def new_database(self) -> str:
        return self.fresh_database("postgresql")


class TestMigrationsOnMariadb(MigrationContract, ServiceTestCase):
    def new_database(self) -> str:
        return self.fresh_database("mariadb")
