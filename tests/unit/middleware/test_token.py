"""The flavour token, and with it what all flavours share."""

import os
import re

from oslo_context.context import get_current

from glance_mini.api.middleware.token import TokenFilter
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.live_users import ReloadingUsers
from glance_mini.standalone.users import change_users
from tests.unit.middleware.harness import FilterTestCase

TOKEN = {"X-Auth-Token": "secret"}
AN_ID = "req-5d3bbd01-7a6e-4a4a-a0c5-8a56bcb4b4a1"


class TokenFilterTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.add_user(token="secret")

    def test_token_gives_the_context_of_its_user(self):
        response = self.ask(self.build(TokenFilter), TOKEN)
        self.assertEqual(200, response.status_int)
        context = self.seen[0]
        self.assertEqual(("ann", "lab", ("member", "reader")), (context.user_id, context.project_id, context.roles))
        self.assertFalse(context.is_admin or context.read_only)

    def test_admin_role_makes_an_administrator(self):
        self.add_user("root", roles=("admin",), token="admin secret")
        self.ask(self.build(TokenFilter), {"X-Auth-Token": "admin secret"})
        self.assertTrue(self.seen[0].is_admin)

    def test_operator_decides_by_policy_who_is_an_administrator(self):
        (self.directory / "policy.yaml").write_text('"context_is_admin": "role:boss"\n')
        self.add_user("root", roles=("admin",), token="admin secret")
        self.add_user("boss", roles=("boss",), token="boss secret")
        app = self.build(TokenFilter)
        self.conf.set_override("policy_file", str(self.directory / "policy.yaml"), group="oslo_policy")
        app = self.build(TokenFilter)
        self.ask(app, {"X-Auth-Token": "admin secret"})
        self.ask(app, {"X-Auth-Token": "boss secret"})
        self.assertEqual([False, True], [context.is_admin for context in self.seen])

    def test_nobody_gets_in_without_a_valid_token(self):
        app = self.build(TokenFilter)
        for headers in ({}, {"X-Auth-Token": ""}, {"X-Auth-Token": "Secret"}, {"X-Auth-Token": "secret "}):
            response = self.ask(app, headers)
            self.assertEqual(401, response.status_int)
            self.assertEqual('Token realm="glance-mini"', response.headers["WWW-Authenticate"])
        self.assertEqual([], self.seen)

    def test_refusal_has_the_shape_that_the_client_accepts(self):
        app = self.build(TokenFilter)
        types = {
            accept: self.ask(app, {"Accept": accept}).content_type
            for accept in ("*/*", "application/json", "text/plain")
        }
        self.assertEqual(
            {"*/*": "text/html", "application/json": "application/json", "text/plain": "text/plain"}, types
        )

    def test_refusal_does_not_repeat_the_token(self):
        self.assertNotIn("hidden-secret", self.ask(self.build(TokenFilter), {"X-Auth-Token": "hidden-secret"}).text)

    def test_changes_take_effect_at_once(self):
        watched = ReloadingUsers(self.users_file)
        self.assertIsNotNone(watched.current().find_token("secret"))
        change_users(self.users_file, lambda users: users.remove("ann"))
        self.assertIsNone(watched.current().find_token("secret"))
        self.add_user(token="another")
        self.assertIsNotNone(watched.current().find_token("another"))

    def test_broken_users_file_changes_nothing_until_it_is_mended(self):
        watched = ReloadingUsers(self.users_file)
        good = self.users_file.read_bytes()
        for content, is_known in ((b"{", True), (good.replace(b"ann", b"bob"), True)):
            self.users_file.write_bytes(content)
            self.assertEqual(is_known, watched.current().find_token("secret") is not None)
        self.assertEqual(["bob"], list(watched.current().by_name))

    def test_vanished_users_file_changes_nothing(self):
        watched = ReloadingUsers(self.users_file)
        os.unlink(self.users_file)
        self.assertIsNotNone(watched.current().find_token("secret"))

    def test_start_is_refused_without_a_users_file(self):
        os.unlink(self.users_file)
        self.assertRaises(ConfigurationError, self.build, TokenFilter)
        self.conf.clear_override("users_file", group="authentication")
        self.assertRaises(ConfigurationError, self.build, TokenFilter)


class AnonymousTest(FilterTestCase):
    def test_anonymous_caller_is_a_reader_without_project_or_roles(self):
        self.add_user(token="secret")
        response = self.ask(self.build(TokenFilter, allow_anonymous_access=True))
        self.assertEqual(200, response.status_int)
        context = self.seen[0]
        self.assertEqual((True, False), (context.read_only, context.is_admin))
        self.assertEqual((None, ()), (context.project_id, context.roles))


class RequestIdTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.add_user(token="secret")
        self.app = self.build(TokenFilter)

    def _answered(self, sent):
        response = self.ask(self.app, {**TOKEN, "X-Openstack-Request-ID": sent})
        return response.status_int, response.headers.get("x-openstack-request-id")

    def test_each_request_has_an_id_of_its_own(self):
        ids = [self.ask(self.app, TOKEN).headers["x-openstack-request-id"] for _ in range(2)]
        self.assertEqual(ids, [context.request_id for context in self.seen])
        self.assertNotEqual(*ids)
        for request_id in ids:
            self.assertTrue(re.fullmatch(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id), request_id)

    def test_id_of_the_client_is_kept_beside_our_own(self):
        status, answered = self._answered(AN_ID)
        self.assertEqual((200, self.seen[0].request_id), (status, answered))
        self.assertEqual(AN_ID, self.seen[0].global_request_id)
        self.assertNotEqual(AN_ID, answered)

    def test_id_that_does_not_belong_into_a_log_is_passed_over(self):
        status, answered = self._answered("a b\x1b[31m")
        self.assertEqual(200, status)
        self.assertNotIn("31m", answered)
        self.assertIsNone(self.seen[0].global_request_id)

    def test_longest_id_is_taken_and_a_longer_one_refused_before_anything_else(self):
        self.assertEqual(200, self._answered("r" * 64)[0])
        response = self.ask(self.app, {"X-Openstack-Request-ID": "r" * 65})
        self.assertEqual(431, response.status_int)

    def test_log_lines_know_who_asks(self):
        self._answered(AN_ID)
        logged = self.logged[0]
        self.assertEqual((self.seen[0].request_id, AN_ID), (logged.request_id, logged.global_request_id))
        self.assertEqual(("ann", "lab"), (logged.user_id, logged.project_id))

    def test_log_lines_of_a_refused_request_know_nothing_of_the_one_before(self):
        self._answered(AN_ID)
        self.ask(self.app, {"X-Auth-Token": "wrong"})
        self.assertIsNone(get_current().user_id)
        self.assertNotEqual(self.seen[0].request_id, get_current().request_id)
