"""What a test against a real service builds on: the service's address, or a skip that says what is missing.

The services are started before the tests by ``services/all start``. In CI, where the variable ``CI`` is set,
a missing one is a failure; elsewhere the test is skipped.
"""

import os
import subprocess
import uuid
from pathlib import Path
from typing import NoReturn

import testtools
from sqlalchemy import URL, make_url, text

from glance_mini.db.sqlalchemy.engine import make_engine

SERVICES = Path(__file__).parent / "services"

_URL_VARIABLES = {"postgresql": "TEST_POSTGRESQL_URL", "mariadb": "TEST_MARIADB_URL"}
_DROP = {"postgresql": "DROP DATABASE {} WITH (FORCE)", "mysql": "DROP DATABASE {}"}
_HOME = {"postgresql": "postgres", "mysql": "mysql"}
"""Databases that every server has."""


class ServiceTestCase(testtools.TestCase):
    """A test that needs services by name: those that have a script in ``services``."""

    def service(self, name: str) -> dict[str, str]:
        """Return the variables that tell how to reach the service; ends the test where it does not answer."""
        status = _run(name, "status")
        if status.returncode:
            self.lacks(f"{name} is missing: {(status.stdout + status.stderr).strip()}")
        lines = _run(name, "env").stdout.splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    def lacks(self, reason: str) -> NoReturn:
        """End the test: a failure in CI, elsewhere a skip; ``reason`` says what is missing."""
        ends: type[Exception] = self.failureException if os.environ.get("CI") else self.skipException
        raise ends(reason)

    def fresh_database(self, name: str) -> str:
        """Return the address of a new database in ``postgresql`` or ``mariadb``, dropped after the test."""
        url = create_database(self.service(name), name)
        self.addCleanup(drop_database, make_url(url))
        return url


def create_database(variables: dict[str, str], name: str) -> str:
    """Return the address of a new database in ``postgresql`` or ``mariadb``, which ``variables`` tell how to reach."""
    server = make_url(variables[_URL_VARIABLES[name]])
    database = f"glance_mini_{uuid.uuid4().hex}"
    _execute(server, f"CREATE DATABASE {database}")
    return server.set(database=database).render_as_string(hide_password=False)


def drop_database(url: URL) -> None:
    """Remove a database with all it holds."""
    _execute(url.set(database=_HOME[url.get_backend_name()]), _DROP[url.get_backend_name()].format(url.database))


def _run(name: str, action: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", SERVICES / name, action]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _execute(server: URL, statement: str) -> None:
    engine = make_engine(server.render_as_string(hide_password=False))
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
