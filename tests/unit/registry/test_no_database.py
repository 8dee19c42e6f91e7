"""API and worker nodes that use a registry load no part of the database: neither SQLAlchemy nor a driver."""

import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from glance_mini.operations.base import Role
from glance_mini.registry.authority import Authority
from glance_mini.standalone.users import User, change_users

PROGRAM = """
import sys
from contextlib import ExitStack
from glance_mini import conf as configuration
from glance_mini.cmd import main, start, worker
from glance_mini.bootstrap import load_application, rehearse, start_worker
from glance_mini.cmd.importing import imported
from glance_mini.conf.database import has_database
from glance_mini.conf.validation import validate_start

conf = configuration.load(files=[sys.argv[1]])
validate_start(conf)
with imported((*start._MODULES, start._DATA_MODULES[has_database(conf)]), sys.argv[2]):
    start._rehearse(conf, None)
    load_application(conf).close()
    with ExitStack() as undo:
        start_worker(conf, undo)[0].stop()
unwanted = ("sqlalchemy", "alembic", "oslo_db", "psycopg", "psycopg2", "pymysql", "MySQLdb", "asyncpg")
print(sorted({name.partition(".")[0] for name in sys.modules} & set(unwanted)))
"""


class NoDatabaseTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        authority = Authority(self.folder / "tls")
        self.pair = authority.issue("api1", (Role.API, Role.WORKER))
        self.options = {
            "certificate": self.pair.certificate,
            "key": self.pair.key,
            "ca_file": authority.files.certificate,
            "endpoints": "https://localhost:1",
            "reach_timeout": 0,
        }

    def configuration(self, **database):
        lines = [
            "[DEFAULT]",
            "enabled_backends = fast:memory",
            f"node_staging_uri = file://{self.folder}/staging",
            "[authentication]",
            f"users_file = {self.folder}/users.json",
            "[task]",
            f"work_dir = {self.folder}/work",
            "[database]",
            *(f"{name} = {value}" for name, value in {"data_access": "registry", **database}.items()),
            "[registry]",
            *(f"{name} = {value}" for name, value in self.options.items()),
        ]
        path = self.folder / "node.conf"
        path.write_text("\n".join(lines))
        change_users(self.folder / "users.json", lambda users: users.add(User("admin")))
        return str(path)

    def run_program(self, *words, program=None):
        command = [sys.executable, *(["-c", program] if program else []), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def test_neither_api_nor_worker_load_a_database(self):
        done = self.run_program(self.configuration(), str(self.folder / "metrics"), program=PROGRAM)
        self.assertEqual("[]", done.stdout.strip(), done.stderr[-3000:])

    def check(self, **database):
        return self.run_program(
            "-m", "glance_mini.cmd.manage", "config", "check", "--config-file", self.configuration(**database)
        )

    def test_the_configuration_needs_no_connection(self):
        done = self.check()
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout)

    def test_a_connection_that_is_not_used_is_warned_about(self):
        done = self.check(connection="postgresql://glance:secret@db/glance")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn("[database] connection is not used with data_access = registry", done.stderr)
        self.assertNotIn("secret", done.stderr + done.stdout)

    def test_what_is_wrong_with_the_registry_is_named_at_once(self):
        self.options = {"endpoints": "http://registry:9191,https://registry"}
        done = self.check()
        self.assertEqual(1, done.returncode)
        for text in (
            "[registry] certificate is not set",
            "[registry] key is not set",
            "[registry] ca_file is not set",
            "[registry] endpoints: 'http://registry:9191' is not https://host:port",
            "[registry] endpoints: 'https://registry' is not https://host:port",
        ):
            self.assertIn(text, done.stdout)

    def test_a_certificate_that_cannot_be_used_is_named(self):
        self.pair.key.write_text("nothing")
        done = self.check()
        self.assertEqual(1, done.returncode)
        self.assertIn("[registry] certificate, key and ca_file", done.stdout)

    def test_commands_on_the_tables_say_where_they_belong(self):
        done = self.run_program("-m", "glance_mini.cmd.manage", "db", "sync", "--config-file", self.configuration())
        self.assertEqual(1, done.returncode)
        self.assertIn("This node has no database; run the command on a node of the registry.", done.stderr)
