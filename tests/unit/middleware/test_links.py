"""Requests that use a link, in every flavour: the link says who the caller is."""

import os
from dataclasses import replace

import fixtures

from glance_mini.api.middleware.basic import BasicFilter
from glance_mini.api.middleware.keystone_context import KeystoneContextFilter
from glance_mini.api.middleware.none import ADMINISTRATOR, NoAuthenticationFilter
from glance_mini.api.middleware.token import TokenFilter
from glance_mini.domain.errors import LinkNotFound, Unavailable
from glance_mini.domain.links import Link, digest_of, make_token
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.users import change_users
from tests.unit.middleware.harness import FilterTestCase

SECRET = make_token()
LINK = Link("l", "an image", user_id="ann", project_id="lab", roles=("member", "reader"), user_domain_id="d0")
FLAVOURS = (TokenFilter, BasicFilter, KeystoneContextFilter, NoAuthenticationFilter)


class LinksTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.add_user(token="secret", password="password")
        self.link = LINK
        self.looked = []

    def build(self, kind, **options):
        for name, value in options.items():
            self.conf.set_override(name, value)
        return kind(self._application, self.conf, Enforcer.from_config(self.conf), self.find)

    def find(self, call):
        self.looked.append(call.digest)
        if call.digest != digest_of(SECRET):
            raise LinkNotFound()
        return self.link

    def use(self, app, secret=SECRET, **headers):
        return self.ask(app, headers, PATH_INFO=f"/v2/links/{secret}")

    def test_link_needs_no_credentials_and_answers_as_its_maker(self):
        for kind in FLAVOURS:
            self.assertEqual(200, self.use(self.build(kind)).status_int, kind)
            context = self.seen.pop()
            if kind is NoAuthenticationFilter:
                self.assertEqual(ADMINISTRATOR.roles, context.roles)
                self.assertTrue(context.is_admin)
            else:
                self.assertEqual(
                    ("ann", "lab", ("member", "reader")), (context.user_id, context.project_id, context.roles)
                )
                self.assertFalse(context.is_admin or context.read_only)
            self.assertIsNone(context.auth_token)
            self.assertTrue(context.request_id)

    def test_credentials_beside_a_link_change_nothing(self):
        self.add_user("root", roles=("admin",), token="admin secret")
        for token in ("admin secret", "wrong"):
            self.assertEqual(200, self.use(self.build(TokenFilter), **{"X-Auth-Token": token}).status_int)
            self.assertEqual("ann", self.seen.pop().user_id)

    def test_secret_that_no_link_has_is_not_found_and_not_repeated(self):
        other = make_token()
        for kind in FLAVOURS:
            for secret in (other, f"{SECRET}x", f"{SECRET}/", "", "short", "%2e", f"{SECRET}\n"):
                response = self.use(self.build(kind), secret, Accept="application/json")
                self.assertEqual(404, response.status_int, secret)
                self.assertNotIn(SECRET, response.text)
                self.assertNotIn(other, response.text)
        self.assertEqual([], self.seen)

    def test_only_what_can_be_a_secret_is_looked_up(self):
        app = self.build(TokenFilter)
        for secret in ("", "short", "x" * 42, "x" * 44, "x" * 42 + "=", "ü" * 43, "x" * 5000):
            self.assertEqual(404, self.use(app, secret.encode().decode("latin-1")).status_int)
        self.assertEqual([], self.looked)

    def test_other_paths_are_no_links(self):
        app = self.build(TokenFilter)
        for path in (f"/v2/images/x/links/{SECRET}", f"/v2/links{SECRET}", f"/links/{SECRET}", f"/v2/Links/{SECRET}"):
            self.assertEqual(401, self.ask(app, PATH_INFO=path).status_int, path)
        self.assertEqual([], self.looked)

    def test_nothing_is_logged_of_a_secret(self):
        logger = self.useFixture(fixtures.FakeLogger())
        for kind in FLAVOURS:
            self.use(self.build(kind))
            self.use(self.build(kind), make_token(), **{"X-Auth-Token": "wrong", "Authorization": "Basic eDp5"})
        self.assertNotIn(SECRET, logger.output)
        self.assertNotIn("/v2/links", logger.output)

    def test_link_of_a_user_who_is_gone_or_has_lost_the_project_is_dead(self):
        for kind in (TokenFilter, BasicFilter):
            self.add_user(token="secret")
            app = self.build(kind)
            self.assertEqual(200, self.use(app).status_int)
            for change in (
                lambda users: users.add(users.get("ann").without_project("lab")),
                lambda users: users.remove("ann"),
            ):
                self.change(change)
                self.assertEqual(404, self.use(self.build(kind)).status_int)

    def test_link_has_the_present_roles_of_its_maker(self):
        self.add_user(roles=("admin",))
        self.use(self.build(TokenFilter))
        self.assertTrue(self.seen.pop().is_admin)
        self.add_user(roles=("reader",))
        self.use(self.build(TokenFilter))
        self.assertEqual((("reader",), False), (self.seen[0].roles, self.seen.pop().is_admin))

    def test_who_is_an_administrator_with_keystone_is_asked_again(self):
        self.link = replace(LINK, roles=("admin",))
        self.use(self.build(KeystoneContextFilter))
        self.assertTrue(self.seen.pop().is_admin)

    def test_database_that_does_not_answer_is_a_503(self):
        def unavailable(call):
            raise Unavailable(reason="The database does not answer.")

        app = TokenFilter(self._application, self.conf, Enforcer.from_config(self.conf), unavailable)
        self.assertEqual(503, self.use(app).status_int)

    def change(self, change):
        change_users(self.users_file, change)
        os.utime(self.users_file, (1, 1))
