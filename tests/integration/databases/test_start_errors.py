"""What the commands say if a database server refuses them: it has no such database, or no such user."""

import subprocess
import sys
from pathlib import Path

import fixtures
from sqlalchemy import make_url

from tests.integration.base import ServiceTestCase


class StartErrorCase(ServiceTestCase):
    def _refused(self, url):
        """Start a worker on a database, which must fail at once, and return its one line."""
        file = Path(self.useFixture(fixtures.TempDir()).path) / "glance-mini.conf"
        address = url.render_as_string(hide_password=False).replace("$", "$$")
        file.write_text(f"[database]\nconnection = {address}\n")
        words = [sys.executable, "-m", "glance_mini.cmd.worker", "--config-file", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((1, 1), (done.returncode, done.stderr.count("\n")), done.stderr)
        return done.stderr

    def _check_database_and_user(self, name):
        url = make_url(self.fresh_database(name))
        missing = self._refused(url.set(database="no_such_database"))
        self.assertIn("has no database 'no_such_database'. Create it, then run: glance-mini-manage db sync", missing)
        refused = self._refused(url.set(username="no_such_user", password="wrong-password"))
        self.assertIn("refuses user 'no_such_user'", refused)
        self.assertNotIn("wrong-password", refused)
        self.assertIn("has no tables yet; run: glance-mini-manage db sync", self._refused(url))

    def test_postgresql_says_what_is_missing(self):
        self._check_database_and_user("postgresql")

    def test_mariadb_says_what_is_missing(self):
        self._check_database_and_user("mariadb")
