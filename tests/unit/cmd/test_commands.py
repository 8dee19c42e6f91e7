"""The commands as a user types them: output, exit codes, one line for what goes wrong."""

import io
from pathlib import Path

import fixtures
import testtools

from glance_mini.cmd import main as serve_program
from glance_mini.cmd import manage
from glance_mini.standalone.state import StateDirectory
from glance_mini.standalone.users import is_password, read_users


class CommandTestCase(testtools.TestCase):
    """A state directory, and what a command says."""

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = StateDirectory(self.root / "state")
        self.state.create()

    def call(self, program, *words, stdin=""):
        """Return exit code, standard output and standard error of a command."""
        out, err = io.StringIO(), io.StringIO()
        with (
            fixtures.MonkeyPatch("sys.stdout", out),
            fixtures.MonkeyPatch("sys.stderr", err),
            fixtures.MonkeyPatch("sys.stdin", io.StringIO(stdin)),
        ):
            try:
                code = program.main(words)
            except SystemExit as leaving:
                code = leaving.code
        return code, out.getvalue(), err.getvalue()

    def manage(self, *words, stdin=""):
        """Run glance-mini-manage on the state directory."""
        return self.call(manage, *words, "--state", str(self.state.path), stdin=stdin)

    def users(self):
        """Return the users as the file has them."""
        return read_users(self.state.users_file)


class UserCommandsTest(CommandTestCase):
    def test_new_user_gets_a_token_which_alone_stands_on_standard_output(self):
        code, out, err = self.manage("user", "add", "ann", "--project", "lab")
        self.assertEqual((0, 1), (code, out.count("\n")))
        self.assertEqual(("member", "reader"), self.users().find_token(out.strip()).roles)
        self.assertNotIn(out.strip(), err)

    def test_user_with_a_password_gets_no_token_unless_one_is_wanted(self):
        words = ("user", "add", "ann", "--password-stdin")
        self.assertEqual((0, ""), self.manage(*words, stdin="correct horse\n")[:2])
        self.assertTrue(is_password("correct horse", self.users().by_name["ann"].password))
        _, token, _ = self.manage(*words, "--token", stdin="correct horse\n")
        self.assertEqual("ann", self.users().find_token(token.strip()).project)

    def test_known_user_is_added_to_and_keeps_everything_else(self):
        _, token, _ = self.manage("user", "add", "ann", "--project", "lab")
        self.assertEqual((0, ""), self.manage("user", "add", "ann", "--project", "two", "--role", "admin")[:2])
        self.assertEqual("lab", self.users().find_token(token.strip()).project)
        self.assertEqual({"lab": ("member",), "two": ("admin",)}, self.users().by_name["ann"].projects)

    def test_list_shows_users_and_no_secret(self):
        _, token, _ = self.manage("user", "add", "ann", "--project", "lab", "--role", "member", "--role", "auditor")
        self.manage("user", "add", "bob", "--password-stdin", stdin="correct horse")
        code, out, _ = self.manage("user", "list")
        self.assertEqual(0, code)
        self.assertEqual(
            [
                ["USER", "PROJECT", "ROLES", "TOKENS", "PASSWORD"],
                ["ann", "lab", "member,auditor", "1", "no"],
                ["bob", "bob", "member", "0", "yes"],
            ],
            [line.split() for line in out.splitlines()],
        )
        self.assertNotIn(token.strip(), out)

    def test_remove_takes_what_is_named_and_no_more(self):
        tokens = [self.manage("user", "add", "ann", "--project", name, "--token")[1].strip() for name in "ab"]
        self.assertEqual(0, self.manage("user", "remove", "ann", "--project", "a")[0])
        self.assertEqual([False, True], [self.users().find_token(token) is not None for token in tokens])
        self.assertEqual(0, self.manage("user", "remove", "ann", "--tokens")[0])
        self.assertEqual(["b"], list(self.users().by_name["ann"].projects))
        self.assertIsNone(self.users().find_token(tokens[1]))
        self.assertEqual(0, self.manage("user", "remove", "ann")[0])
        self.assertEqual({}, self.users().by_name)

    def test_user_without_any_project_left_is_gone(self):
        self.manage("user", "add", "ann", "--project", "lab")
        self.manage("user", "remove", "ann", "--project", "lab")
        self.assertEqual({}, self.users().by_name)

    def test_what_cannot_be_done_is_one_line_and_changes_nothing(self):
        self.manage("user", "add", "ann", "--project", "lab")
        before = self.state.users_file.read_bytes()
        for words, stdin in (
            (("remove", "nobody"), ""),
            (("remove", "ann", "--project", "other"), ""),
            (("add", "a b"), ""),
            (("add", "ann", "--project", "a:b"), ""),
            (("add", "bob", "--password-stdin"), ""),
            (("add", "bob", "--password-stdin"), "short\n"),
        ):
            code, out, err = self.manage("user", *words, stdin=stdin)
            self.assertEqual((1, "", 1), (code, out, err.count("\n")), words)
            self.assertTrue(err.startswith("glance-mini-manage: "), err)
        self.assertEqual(before, self.state.users_file.read_bytes())


class DatabaseCommandsTest(CommandTestCase):
    def test_tables_are_missing_then_made_then_in_order(self):
        code, out, _ = self.manage("db", "check")
        self.assertEqual(1, code)
        self.assertIn("glance-mini-manage db sync", out)
        self.assertEqual((0, "none\n"), self.manage("db", "version")[:2])
        _, revision, _ = self.manage("db", "sync")
        self.assertEqual((0, revision), self.manage("db", "sync")[:2])
        self.assertEqual((0, revision), self.manage("db", "version")[:2])
        self.assertEqual(0, self.manage("db", "check")[0])

    def test_purge_prints_how_many_images_went(self):
        self.manage("db", "sync")
        self.assertEqual((0, "0\n", ""), self.manage("db", "purge", "--age-in-days", "1", "--max-rows", "-1"))
        self.assertEqual((0, "0\n", ""), self.manage("db", "recount"))

    def test_database_that_cannot_be_reached_is_one_line_without_its_password(self):
        file = self.root / "other.conf"
        file.write_text("[database]\nconnection = postgresql://glance:secret@127.0.0.1:1/glance\n")
        code, out, err = self.call(manage, "db", "version", "--config-file", str(file))
        self.assertEqual((1, ""), (code, out))
        self.assertTrue(err.startswith("glance-mini-manage: The database server at 127.0.0.1:1 cannot be reached"), err)
        self.assertNotIn("secret", err)


class LayersCommandTest(CommandTestCase):
    def test_path_of_one_operation_is_one_line(self):
        code, out, _ = self.manage("layers", "update_image")
        self.assertEqual((0, "auth → notifier → policy → quota → location → database\n"), (code, out))

    def test_each_operation_has_a_line(self):
        code, out, _ = self.manage("layers")
        lines = dict(line.split(": ") for line in out.splitlines())
        self.assertEqual(0, code)
        self.assertTrue(lines["list_images"].startswith("auth → "), lines)
        self.assertNotIn("load_image", lines)

    def test_unknown_operation_is_refused(self):
        self.assertEqual(1, self.manage("layers", "make_coffee")[0])


class ServeArgumentsTest(CommandTestCase):
    def _refused(self, *words):
        code, out, err = self.call(serve_program, "serve", *words)
        self.assertEqual((1, "", 1), (code, out, err.count("\n")), err)
        return err

    def test_no_authentication_beyond_loopback_is_refused(self):
        text = self.state.config_file.read_text().replace("flavor = token", "flavor = none")
        self.state.config_file.write_text(text)
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0", "images.example.org:9292"):
            self.assertIn("administrator", self._refused("--state", str(self.state.path), "--bind", address))

    def test_addresses_that_are_none_are_refused(self):
        for address in ("9292", "127.0.0.1", "::1:9292", "127.0.0.1:99999"):
            self.assertIn(address, self._refused("--state", str(self.state.path), "--bind", address))

    def test_configuration_that_does_not_exist_is_named(self):
        self.assertIn("/no/such.conf", self._refused("--config-file", "/no/such.conf"))

    def test_database_without_tables_is_refused_where_it_is_the_operators(self):
        file = self.root / "own.conf"
        file.write_text(f"[database]\nconnection = sqlite:///{self.root}/own.db\n")
        self.assertIn("glance-mini-manage db sync", self._refused("--config-file", str(file)))

    def test_arguments_that_are_none_are_explained(self):
        for words in ((), ("serve", "--workers", "0"), ("serve", "--config-file", "a", "--state", "b")):
            code, _, err = self.call(serve_program, *words)
            self.assertEqual(2, code, words)
            self.assertIn("usage:", err)
