"""Each error at start is printed once, without a trace, with its cause and with what to do: real commands."""

import os
import re
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fixtures
import testtools

from glance_mini import conf as configuration
from glance_mini.cmd.manage_database import migrate
from glance_mini.standalone.state import StateDirectory
from tests import programs
from tests.functional.service import START_SECONDS
from tests.functional.test_start import _make_certificate
from tests.ports import free_port

MODULES = {"glance-mini": "main", "glance-mini-manage": "manage", "glance-mini-worker": "worker"}


def run(program, *words, environ=None):
    """Return exit code, output and errors of one of the programs."""
    environ = {**os.environ, **(environ or {})}
    return programs.run(f"glance_mini.cmd.{MODULES[program]}", *words, env=environ, timeout=2 * START_SECONDS)


class StartErrorCase(testtools.TestCase):
    """A new state directory for each start that fails."""

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self._count = 0

    def new_state(self, text=""):
        """Return a new state directory with ``text`` at the end of its configuration."""
        self._count += 1
        state = StateDirectory(self.root / f"state{self._count}")
        state.create()
        with open(state.config_file, "a", encoding="utf-8") as file:
            file.write(text)
        return state

    def serve(self, state, *words, environ=None):
        """Start the service, which must fail, and return its errors."""
        path = getattr(state, "path", state)
        bind = () if "--bind" in words else ("--bind", f"127.0.0.1:{free_port()}")
        done = run("glance-mini", "serve", "--state", path, *bind, *words, environ=environ)
        self.assert_refused(done, "glance-mini")
        return done.stderr

    def assert_refused(self, done, program):
        """Assert that a start failed with one error and no trace."""
        self.assertEqual((1, ""), (done.returncode, done.stdout), done.stderr)
        self.assertEqual(1, len(re.findall(f"^{program}: ", done.stderr, re.MULTILINE)), done.stderr)
        for word in ("Traceback", "gunicorn", "exited with code"):
            self.assertNotIn(word, done.stderr)

    def assert_all_refused(self, cases):
        """Start the service for each case, a function and the words that its errors must have; three at once.

        Return all errors.
        """
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda case: case[0](), cases))
        for (_, *words), errors in zip(cases, found, strict=True):
            for word in words:
                self.assertIn(word, errors)
        return "".join(found)


class DatabaseTest(StartErrorCase):
    def test_damaged_file_is_named_by_service_worker_and_commands(self):
        state = self.new_state()
        database = state.path / "glance-mini.db"
        database.write_bytes(b"not a database" * 1000)
        errors = [self.serve(state)]
        for program, *words in (("glance-mini-worker",), ("glance-mini-manage", "db", "check")):
            done = run(program, *words, "--state", state.path)
            self.assert_refused(done, program)
            errors.append(done.stderr)
        for text in errors:
            self.assertIn(f"The SQLite file {database} is damaged or no database", text)
            self.assertIn("Restore it from a backup", text)

    def test_damaged_pages_are_noticed(self):
        state = self.new_state()
        migrate(configuration.load(files=[state.config_file]))
        database = state.path / "glance-mini.db"
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        data = bytearray(database.read_bytes())
        data[100:4096] = b"\xff" * (4096 - 100)
        database.write_bytes(data)
        self.assertIn("is damaged or no database", self.serve(state))

    def test_tables_of_a_newer_program_are_refused(self):
        state = self.new_state()
        migrate(configuration.load(files=[state.config_file]))
        with sqlite3.connect(state.path / "glance-mini.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        self.assertIn("revision 9999, which is newer than this program", self.serve(state))
        done = run("glance-mini-manage", "db", "sync", "--state", state.path)
        self.assert_refused(done, "glance-mini-manage")

    def test_missing_driver_names_the_extra(self):
        package = self.root / "path" / "psycopg"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise ModuleNotFoundError('No module', name='psycopg')\n")
        state = self._with_connection("postgresql://glance:secret@db/glance")
        errors = self.serve(state, environ={"PYTHONPATH": str(package.parent)})
        self.assertIn("needs the Python package psycopg; run: pip install 'glance_mini[postgresql]'", errors)

    def test_database_that_cannot_be_used_is_named_without_its_password(self):
        closed = free_port()
        cases = [
            ("oracle://glance:secret@db/glance", "begins with sqlite:///"),
            ("sqlite:////no/such/directory/x.db", "directory does not exist"),
            (f"sqlite:///{self.root}", f"The SQLite file {self.root} cannot be opened"),
            (f"postgresql://glance:secret@127.0.0.1:{closed}/x", f"server at 127.0.0.1:{closed} cannot be reached"),
            (f"mysql://glance:secret@127.0.0.1:{closed}/x", f"server at 127.0.0.1:{closed} cannot be reached"),
        ]
        states = [self._with_connection(connection) for connection, _ in cases]
        errors = self.assert_all_refused(
            [(lambda state=state: self.serve(state), word) for state, (_, word) in zip(states, cases, strict=True)]
        )
        self.assertNotIn("secret", errors)

    def _with_connection(self, connection):
        state = self.new_state()
        text = state.config_file.read_text()
        state.config_file.write_text(re.sub("connection = .*", f"connection = {connection}", text))
        return state


class ServerTest(StartErrorCase):
    def test_address_is_named_with_what_to_do(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            cases = [
                (f"127.0.0.1:{port}", "Address already in use", "name another address by --bind"),
                ("192.0.2.1:9292", "192.0.2.1:9292", "an address of this machine"),
                ("127.0.0.1:99999", "'127.0.0.1:99999' is not host:port"),
            ]
            self._all_refused([(("--bind", address), *words) for address, *words in cases])

    def test_certificate_and_key_that_cannot_be_used_are_named(self):
        first, second = (_make_certificate(self.root / name) for name in ("first.pem", "second.pem"))
        junk = self.root / "junk.pem"
        junk.write_text("junk")
        missing = self.root / "missing.pem"
        self._all_refused(
            [
                (("--tls-cert", missing), f"tls_certificate: {missing} cannot be read: No such file"),
                (("--tls-cert", junk), f"tls_certificate: {junk} holds no certificate in PEM"),
                (("--tls-cert", first, "--tls-key", junk), f"tls_key: {junk} holds no private key"),
                (("--tls-cert", first, "--tls-key", second), f"{first} with the key {second}: key values mismatch"),
            ]
        )

    def _all_refused(self, cases):
        states = [self.new_state() for _ in cases]
        pairs = zip(states, cases, strict=True)
        self.assert_all_refused(
            [(lambda state=state, given=given: self.serve(state, *given), *texts) for state, (given, *texts) in pairs]
        )


class PartsTest(StartErrorCase):
    def test_part_that_cannot_be_made_is_named_once(self):
        directory = self.root / "file"
        directory.write_text("")
        cases = [
            (
                "[DEFAULT]\nenabled_backends = images:fil\n",
                "driver fil cannot be loaded",
                "there are cinder, file, http",
            ),
            (f"[images]\nfilesystem_store_datadir = {directory}\n", "store images (driver file)", str(directory)),
            ("[domain]\nlayers = auth,polcy,database\n", "[domain] layers must name policy"),
            ("[DEFAULT]\nenabled_import_methods = magic\n", "enabled_import_methods names magic"),
            ("[image_import_opts]\nimage_import_plugins = magic\n", "image_import_plugins names magic"),
            ("[oslo_policy]\npolicy_file = /no/such/file\n", "policy_file: /no/such/file does not exist"),
            ("[paste_deploy]\nflavor = tokn\n", "flavour 'tokn'"),
            ("[DEFAULT]\nproperty_protection_file = /no/such/file\n", "/no/such/file"),
            ("[DEFAULT]\ntransport_url = rabit://x\n", "check [DEFAULT] transport_url", "rabit"),
            ("[oslo_messaging_notifications]\ndriver = messagngv2\n", "there is no messagngv2, only", "messagingv2"),
            ("[database]\ndata_access = magic\n", "[database] data_access names magic"),
        ]
        states = [(self.new_state(text), words) for text, *words in cases]
        self.assert_all_refused([(lambda state=state: self.serve(state), *words) for state, words in states])

    def test_broken_files_of_the_state_directory_are_named(self):
        users, clouds = self.new_state(), self.new_state()
        for state in (users, clouds):
            state.prepare_clients("http://127.0.0.1:9292", None)
        users.users_file.write_text("junk")
        clouds.clouds_file.write_text("[")
        file = self.root / "file"
        file.write_text("")
        full = self.root / "full"
        full.mkdir()
        (full / "mine").write_text("")
        self.assert_all_refused(
            [
                (lambda: self.serve(users), f"{users.users_file} is not a users file"),
                (lambda: self.serve(clouds), f"{clouds.clouds_file} is not YAML; mend it, or remove it"),
                (lambda: self.serve(file), f"{file} is not a directory"),
                (lambda: self.serve(full), f"{full} is not a state directory", "Name another by --state"),
            ]
        )
