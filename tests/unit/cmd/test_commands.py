"""The commands as a user types them: output, exit codes, one line for what goes wrong."""

import io
import json
from datetime import timedelta
from pathlib import Path

import fixtures
import testtools

from glance_mini.cmd import main as serve_program
from glance_mini.cmd import manage
from glance_mini.domain.clock import utcnow
from glance_mini.standalone.state import StateDirectory
from glance_mini.standalone.token_uses import TokenUses
from glance_mini.standalone.users import hash_token, is_password, read_users


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

    def test_new_user_is_told_how_clients_log_in_without_a_secret(self):
        self.state.prepare_clients("https://images.example:9292", None)
        _, out, err = self.manage("user", "add", "ann", "--project", "my-lab")
        for text in (
            "OS_AUTH_URL=https://images.example:9292/identity/v3",
            "OS_USERNAME=ann",
            "OS_PROJECT_NAME=my-lab",
        ):
            self.assertIn(text, err)
        for client in ("openstack image list", "Python", "Ansible", "Terraform", "read -r OS_PASSWORD"):
            self.assertIn(client, err)
        self.assertNotIn(out.strip(), err)
        self.state.clouds_file.write_text("[")
        self.assertIn("OS_AUTH_URL=http://127.0.0.1:9292/identity/v3", self.manage("user", "add", "bob")[2])

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
        self.assertEqual(0, self.manage("user", "remove", "ann", "--project", "a", "--yes")[0])
        self.assertEqual([False, True], [self.users().find_token(token) is not None for token in tokens])
        self.assertEqual(0, self.manage("user", "remove", "ann", "--tokens", "--yes")[0])
        self.assertEqual(["b"], list(self.users().by_name["ann"].projects))
        self.assertIsNone(self.users().find_token(tokens[1]))
        self.assertEqual(0, self.manage("user", "remove", "ann", "--yes")[0])
        self.assertEqual({}, self.users().by_name)

    def test_remove_takes_one_token_by_its_name_or_the_password(self):
        one, two = (self.manage("user", "add", "ann", "--token-name", name)[1].strip() for name in ("ci", "laptop"))
        self.manage("user", "add", "ann", "--password-stdin", stdin="correct horse\n")
        self.assertEqual(0, self.manage("user", "remove", "ann", "--token", "ci", "--yes")[0])
        self.assertEqual([False, True], [self.users().find_token(token) is not None for token in (one, two)])
        self.assertEqual(0, self.manage("user", "remove", "ann", "--password", "--yes")[0])
        self.assertIsNone(self.users().by_name["ann"].password)
        self.assertIsNotNone(self.users().find_token(two))

    def test_token_expires_after_the_days_that_were_given(self):
        self.manage("user", "add", "ann", "--expires-in-days", "30", "--token-name", "ci")
        [token] = self.users().by_name["ann"].tokens.values()
        self.assertEqual("ci", token.name)
        self.assertTrue(timedelta(days=29) < token.expires - utcnow() <= timedelta(days=30), token)

    def test_show_tells_of_roles_and_tokens_and_no_secret(self):
        token = self.manage("user", "add", "ann", "--project", "lab", "--token-name", "ci")[1].strip()
        shown = json.loads(self.manage("user", "show", "ann", "--format", "json")[1])
        self.assertEqual(("ann", False, {"lab": ["member"]}), (shown["name"], shown["password"], shown["projects"]))
        [shown] = shown["tokens"]
        self.assertEqual(("ci", None, None), (shown["name"], shown["expires"], shown["last_used"]))
        uses = TokenUses(self.state.users_file, Path(f"{self.state.users_file}.used"))
        uses.note(hash_token(token))
        uses.write()
        out = self.manage("user", "show", "ann", "--format", "json")[1]
        self.assertIsNotNone(json.loads(out)["tokens"][0]["last_used"])
        self.assertNotIn(token, out)
        self.assertNotIn(hash_token(token), out)

    def test_password_is_set_from_standard_input(self):
        self.manage("user", "add", "ann")
        done = self.manage("user", "password", "ann", "--password-stdin", stdin="correct horse\n")
        self.assertEqual((0, "", ""), done)
        self.assertTrue(is_password("correct horse", self.users().by_name["ann"].password))

    def test_role_that_no_rule_knows_is_warned_about(self):
        with self.state.config_file.open("a") as file:
            file.write(f"[DEFAULT]\nproperty_protection_file = {self.root}/protection.conf\n")
            file.write(f"[oslo_policy]\npolicy_file = {self.root}/policy.yaml\n")
        actions = "".join(f"{action} = curator\n" for action in ("create", "read", "update", "delete"))
        (self.root / "protection.conf").write_text(f"[.*]\n{actions}")
        (self.root / "policy.yaml").write_text('"get_image": "role:auditor or not role:guest"\n')
        known = ("admin", "manager", "member", "Reader", "service", "auditor", "guest", "curator")
        _, _, err = self.manage("user", "add", "ann", *(f"--role={role}" for role in known))
        self.assertNotIn("warning", err)
        code, _, err = self.manage("user", "add", "bob", "--role", "membr", "--role", "xyz")
        self.assertEqual((0, ("membr", "xyz")), (code, self.users().by_name["bob"].projects["bob"]))
        self.assertIn("glance-mini-manage: warning: no rule knows the role 'membr'; did you mean 'member'?\n", err)
        self.assertIn("glance-mini-manage: warning: no rule knows the role 'xyz'.\n", err)

    def test_user_without_any_project_left_is_gone(self):
        self.manage("user", "add", "ann", "--project", "lab")
        self.manage("user", "remove", "ann", "--project", "lab", "--yes")
        self.assertEqual({}, self.users().by_name)

    def test_what_cannot_be_done_is_one_line_and_changes_nothing(self):
        self.manage("user", "add", "ann", "--project", "lab")
        before = self.state.users_file.read_bytes()
        for words, stdin in (
            (("remove", "nobody", "--yes"), ""),
            (("remove", "ann", "--project", "other", "--yes"), ""),
            (("remove", "ann", "--token", "other", "--yes"), ""),
            (("show", "nobody"), ""),
            (("password", "nobody", "--password-stdin"), "correct horse\n"),
            (("password", "ann"), ""),
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
        words = ("db", "purge", "--age-in-days", "1", "--max-rows", "-1", "--yes")
        self.assertEqual((0, "0\n", ""), self.manage(*words))
        self.assertEqual((0, "0\n", ""), self.manage("db", "recount"))

    def test_database_that_cannot_be_reached_is_one_line_without_its_password(self):
        file = self.root / "other.conf"
        file.write_text("[database]\nconnection = postgresql://glance:secret@127.0.0.1:1/glance\n")
        code, out, err = self.call(manage, "db", "version", "--config-file", str(file))
        self.assertEqual((1, ""), (code, out))
        self.assertTrue(err.startswith("glance-mini-manage: The database server at 127.0.0.1:1 cannot be reached"), err)
        self.assertNotIn("secret", err)


class QuotaCommandsTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        self.manage("db", "sync")

    def quota(self, *words):
        """Return limits and whether they are the project's own, by project and resource."""
        code, out, err = self.manage("quota", *words, "--format", "json")
        self.assertEqual(0, code, err)
        return {(row["project"], row["resource"]): (row["limit"], row["is_own"]) for row in json.loads(out)}

    def test_limits_of_a_project_are_set_shown_and_given_up(self):
        words = (
            "image_size_total=2GB",
            "image_stage_total=unlimited",
            "image_count_total=5",
            "image_count_uploading=0",
        )
        shown = self.quota("set", "--project", "lab", *words)
        expected = {
            "image_size_total": (2 * 1024**3, True),
            "image_stage_total": (None, True),
            "image_count_total": (5, True),
            "image_count_uploading": (0, True),
            "image_size_deleted": (None, False),
        }
        self.assertEqual({("lab", resource): limit for resource, limit in expected.items()}, shown)
        self.assertEqual(shown, self.quota("show"))
        self.assertEqual(shown, self.quota("show", "--project", "lab"))
        shown = self.quota("set", "--project", "lab", "image_count_total=default")
        self.assertEqual((None, False), shown["lab", "image_count_total"])

    def test_storage_quota_is_the_default_of_other_projects(self):
        with self.state.config_file.open("a") as file:
            file.write("[DEFAULT]\nuser_storage_quota = 1KB\n")
        self.quota("set", "--project", "lab", "image_size_total=5")
        self.assertEqual((5, True), self.quota("show")["lab", "image_size_total"])
        self.assertEqual((1024, False), self.quota("show", "--project", "other")["other", "image_size_total"])

    def test_limit_that_cannot_be_one_is_a_wrong_argument(self):
        for word in (
            "image_size_total",
            "images=5",
            "image_count_total=5GB",
            "image_count_total=-2",
            "image_size_total=x",
        ):
            code, _, err = self.manage("quota", "set", "--project", "lab", word)
            self.assertEqual((2, True), (code, "error: argument RESOURCE=LIMIT" in err), err)

    def test_keystones_limits_are_not_changed_here(self):
        with self.state.config_file.open("a") as file:
            file.write("[DEFAULT]\nuse_keystone_limits = true\n[oslo_limit]\nendpoint_id = 1\nauth_type = password\n")
        for words in (("show",), ("set", "--project", "lab", "image_count_total=5")):
            code, _, err = self.manage("quota", *words)
            self.assertEqual((1, True), (code, "Keystone" in err), err)


class LayersCommandTest(CommandTestCase):
    def test_path_of_one_operation_is_one_line(self):
        code, out, _ = self.manage("layers", "update_image")
        self.assertEqual((0, "auth → notifier → policy → quota → location → database\n"), (code, out))

    def test_each_operation_has_a_line(self):
        code, out, _ = self.manage("layers")
        lines = dict(line.split(maxsplit=1) for line in out.splitlines())
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
