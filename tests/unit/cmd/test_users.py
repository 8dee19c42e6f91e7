"""The users file: what is stored, who is found, and what a writer leaves behind."""

import json
import stat
import threading
from datetime import timedelta
from pathlib import Path

import fixtures
import testtools

from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import ConfigurationError, Duplicate, Invalid, NotFound
from glance_mini.standalone.users import (
    Grant,
    Token,
    User,
    Users,
    change_users,
    hash_token,
    is_password,
    make_token,
    read_users,
)


class UsersTest(testtools.TestCase):
    def test_token_is_good_for_its_user_and_project(self):
        user = User("ann").with_role("lab", ("member",)).with_token("secret", "lab")
        grant = Grant("ann", "lab", ("member", "reader"), hash_token("secret"))
        self.assertEqual(grant, Users({}).add(user).find_token("secret"))

    def test_unknown_token_grants_nothing(self):
        self.assertIsNone(Users({}).find_token("secret"))

    def test_token_with_bytes_that_are_no_utf8_grants_nothing(self):
        self.assertIsNone(Users({}).find_token("\udcff"))

    def test_roles_bring_those_they_imply_in_lower_case(self):
        user = User("ann").with_role("lab", ("Admin", "auditor"))
        self.assertEqual(("admin", "auditor", "manager", "member", "reader"), user.roles("lab"))
        self.assertEqual((), user.roles("other"))

    def test_leaving_a_project_ends_its_tokens_only(self):
        user = User("ann").with_role("a", ("member",)).with_role("b", ("member",))
        users = Users({}).add(user.with_token("ta", "a").with_token("tb", "b").without_project("a"))
        self.assertIsNone(users.find_token("ta"))
        self.assertEqual("b", users.find_token("tb").project)
        self.assertRaises(NotFound, user.without_project, "c")

    def test_token_grants_nothing_from_its_expiry_on(self):
        user = User("ann").with_role("lab", ("member",))
        for seconds, is_valid in ((60, True), (0, False), (-60, False)):
            late = user.with_token("secret", "lab", "ci", utcnow() + timedelta(seconds=seconds))
            self.assertEqual(is_valid, Users({}).add(late).find_token("secret") is not None, seconds)

    def test_one_token_is_removed_by_its_name(self):
        user = User("ann").with_role("lab", ("member",)).with_token("one", "lab", "ci").with_token("two", "lab")
        users = Users({}).add(user.without_token("ci"))
        self.assertIsNone(users.find_token("one"))
        self.assertIsNotNone(users.find_token("two"))
        self.assertRaises(NotFound, user.without_token, "other")

    def test_a_user_has_each_name_of_a_token_once(self):
        user = User("ann").with_role("lab", ("member",)).with_token("one", "lab", "ci")
        self.assertRaises(Duplicate, user.with_token, "two", "lab", "ci")
        self.assertRaises(Invalid, user.with_token, "two", "lab", "a b")
        self.assertEqual(hash_token("two")[:8], list(user.with_token("two", "lab").tokens.values())[1].name)

    def test_two_users_cannot_have_one_token(self):
        users = Users({}).add(User("ann").with_role("a", ("member",)).with_token("same", "a"))
        bob = User("bob").with_role("b", ("member",)).with_token("same", "b")
        self.assertRaises(Duplicate, users.add, bob)

    def test_names_that_basic_authentication_or_a_path_could_not_carry_are_refused(self):
        for name in ("", "a:b", "a b", "a/b", "a\n", "x" * 65):
            self.assertRaises(Invalid, Users({}).add, User(name))

    def test_password_is_found_right_and_wrong(self):
        hashed = User("ann").with_password("correct horse").password
        self.assertTrue(is_password("correct horse", hashed))
        self.assertFalse(is_password("correct hors", hashed))
        self.assertFalse(is_password("correct horse", "no hash at all"))

    def test_password_that_bcrypt_would_cut_is_refused(self):
        for password in ("short", "x" * 73, "eight\0bytes"):
            self.assertRaises(Invalid, User("ann").with_password, password)
        self.assertFalse(is_password("x" * 73, User("ann").with_password("x" * 72).password))

    def test_a_hash_is_not_shown_with_its_user(self):
        user = User("ann").with_password("correct horse")
        self.assertNotIn(user.password, repr(user))


class UsersFileTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = Path(self.useFixture(fixtures.TempDir()).path) / "users.json"

    def _add(self, name):
        user = User(name).with_role("lab", ("member",))
        change_users(self.path, lambda users: users.add(user))

    def test_what_was_written_is_read_again(self):
        token = make_token()
        expires = utcnow().replace(microsecond=0) + timedelta(days=1)
        user = User("ann").with_role("lab", ("member", "auditor")).with_token(token, "lab", "ci", expires)
        user = user.with_password("12345678")
        change_users(self.path, lambda users: users.add(user))
        self.assertEqual(user, read_users(self.path).by_name["ann"])

    def test_file_of_format_1_is_read_and_becomes_one_of_format_2_at_the_next_change(self):
        digest = hash_token("secret")
        entry = {"projects": {"lab": ["member"]}, "tokens": [{"sha256": digest, "project": "lab"}]}
        self.path.write_text(json.dumps({"version": 1, "users": {"ann": entry}}))
        self.assertEqual({digest: Token(digest[:8], "lab")}, read_users(self.path).by_name["ann"].tokens)
        self._add("bob")
        self.assertEqual(2, json.loads(self.path.read_text())["version"])
        self.assertEqual("ann", read_users(self.path).find_token("secret").user)

    def test_times_with_a_zone_become_utc_and_others_are_utc(self):
        digest = hash_token("secret")
        for text in ("2126-01-02T03:04:05Z", "2126-01-02T05:04:05+02:00", "2126-01-02T03:04:05"):
            token = {"sha256": digest, "project": "lab", "name": "ci", "expires": text}
            self.path.write_text(json.dumps({"version": 2, "users": {"ann": {"tokens": [token]}}}))
            expires = read_users(self.path).by_name["ann"].tokens[digest].expires
            self.assertEqual("2126-01-02T03:04:05", expires.isoformat())

    def test_token_is_64_hexadecimal_digits_so_no_client_takes_it_for_an_option(self):
        self.assertEqual({64}, {len(bytes.fromhex(make_token())) * 2 for _ in range(100)})

    def test_no_secret_stands_in_the_file_and_only_its_owner_can_read_it(self):
        token = make_token()
        user = User("ann").with_role("lab", ("member",)).with_token(token, "lab").with_password("correct horse")
        change_users(self.path, lambda users: users.add(user))
        text = self.path.read_text()
        self.assertNotIn(token, text)
        self.assertNotIn("correct horse", text)
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_file_that_a_group_may_read_stays_so_and_never_opens_to_others(self):
        self._add("ann")
        self.path.chmod(0o644)
        self._add("bob")
        self.assertEqual(0o640, stat.S_IMODE(self.path.stat().st_mode))

    def test_a_change_that_fails_leaves_the_file_and_no_other(self):
        self._add("ann")
        before = self.path.read_bytes()
        self.assertRaises(NotFound, change_users, self.path, lambda users: users.remove("bob"))
        self.assertEqual(before, self.path.read_bytes())
        self.assertEqual([self.path], list(self.path.parent.iterdir()))

    def test_writers_at_once_lose_nobody(self):
        names = [f"user{number}" for number in range(12)]
        threads = [threading.Thread(target=self._add, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(names), set(read_users(self.path).by_name))

    def test_what_is_no_users_file_is_refused_by_name(self):
        contents = (
            "",
            "[]",
            "{}",
            json.dumps({"version": 3, "users": {}}),
            json.dumps({"version": 2, "users": {"ann": {"tokens": [{"sha256": "0", "project": "a", "expires": "?"}]}}}),
            json.dumps({"version": 1, "users": {"ann": {"projects": {"lab": "admin"}}}}),
            json.dumps({"version": 1, "users": {"ann": {"tokens": [{"sha256": "0"}]}}}),
            json.dumps({"version": 1, "users": {"a b": {}}}),
        )
        for content in contents:
            self.path.write_text(content)
            error = self.assertRaises(ConfigurationError, read_users, self.path)
            self.assertIn(str(self.path), str(error))

    def test_missing_file_is_refused_by_name(self):
        error = self.assertRaises(ConfigurationError, read_users, self.path)
        self.assertIn(str(self.path), str(error))
