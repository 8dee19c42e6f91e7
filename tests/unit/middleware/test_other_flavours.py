"""The flavours keystone (its second half) and none."""

from glance_mini.api.middleware.keystone_context import KeystoneContextFilter
from glance_mini.api.middleware.none import NoAuthenticationFilter
from tests.unit.middleware.harness import FilterTestCase

CONFIRMED = {
    "X-Identity-Status": "Confirmed",
    "X-User-Id": "u1",
    "X-Project-Id": "p1",
    "X-Roles": "Member, reader,",
    "X-User-Domain-Id": "default",
    "X-Project-Domain-Id": "default",
    "X-Auth-Token": "t1",
}


class KeystoneContextTest(FilterTestCase):
    def test_confirmed_token_gives_a_context_with_roles_in_lower_case(self):
        self.ask(self.build(KeystoneContextFilter), CONFIRMED)
        context = self.seen[0]
        self.assertEqual(("u1", "p1"), (context.user_id, context.project_id))
        self.assertEqual((("member", "reader"), ()), (context.roles, context.service_roles))
        self.assertEqual(("default", "default"), (context.user_domain_id, context.project_domain_id))
        self.assertIsNone(context.system_scope)
        self.assertEqual(("t1", False), (context.auth_token, context.is_admin))
        self.assertNotIn("t1", repr(context))

    def test_admin_role_makes_an_administrator_in_a_project_only(self):
        app = self.build(KeystoneContextFilter)
        self.ask(app, {**CONFIRMED, "X-Roles": "ADMIN"})
        self.ask(app, {**CONFIRMED, "X-Roles": "admin", "X-Project-Id": "", "OpenStack-System-Scope": "all"})
        self.assertEqual([True, False], [context.is_admin for context in self.seen])
        self.assertEqual("all", self.seen[1].system_scope)

    def test_roles_of_a_service_token_count_only_when_it_was_confirmed(self):
        app = self.build(KeystoneContextFilter)
        self.ask(app, {**CONFIRMED, "X-Service-Roles": "Service"})
        self.ask(app, {**CONFIRMED, "X-Service-Roles": "Service", "X-Service-Identity-Status": "Confirmed"})
        self.assertEqual([(), ("service",)], [context.service_roles for context in self.seen])

    def test_nobody_gets_in_unconfirmed(self):
        app = self.build(KeystoneContextFilter)
        for status in ("Invalid", "", "confirmed"):
            self.assertEqual(401, self.ask(app, {**CONFIRMED, "X-Identity-Status": status}).status_int)
        self.assertEqual([], self.seen)


class NoAuthenticationTest(FilterTestCase):
    def test_everybody_is_an_administrator_with_all_roles_and_without_project(self):
        response = self.ask(self.build(NoAuthenticationFilter))
        context = self.seen[0]
        self.assertEqual((True, None, False), (context.is_admin, context.project_id, context.read_only))
        self.assertIn("admin", context.roles)
        self.assertEqual(context.request_id, response.headers["x-openstack-request-id"])
