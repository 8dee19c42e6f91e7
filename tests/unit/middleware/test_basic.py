"""The flavour basic: credentials in the header, projects, and what is remembered of a password."""

import base64

from glance_mini.api.middleware.basic import BasicFilter
from glance_mini.standalone.passwords import PasswordCheck
from glance_mini.standalone.users import change_users
from tests.unit.middleware.harness import FilterTestCase

PASSWORD = "correct: horse"


def _basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class BasicFilterTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.user = self.add_user(password=PASSWORD)

    def test_password_gives_the_context_of_its_user_even_with_a_colon_in_it(self):
        response = self.ask(self.build(BasicFilter), _basic("ann", PASSWORD))
        self.assertEqual(200, response.status_int)
        context = self.seen[0]
        self.assertEqual(("ann", "lab", ("member", "reader")), (context.user_id, context.project_id, context.roles))

    def test_nobody_gets_in_with_wrong_credentials(self):
        self.add_user("bob", token="only a token")
        app = self.build(BasicFilter)
        refused = (
            {},
            _basic("ann", "wrong"),
            _basic("ann", ""),
            _basic("ann", "x" * 100),
            _basic("nobody", PASSWORD),
            _basic("bob", "only a token"),
            _basic("bob", ""),
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic " + base64.b64encode(b"ann").decode()},
            {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
            {"Authorization": _basic("ann", PASSWORD)["Authorization"].replace("Basic", "Bearer")},
            {"X-Auth-Token": "only a token"},
        )
        for headers in refused:
            response = self.ask(app, headers)
            self.assertEqual(
                (401, 'Basic realm="glance-mini"'), (response.status_int, response.headers["WWW-Authenticate"]), headers
            )
        self.assertEqual([], self.seen)

    def test_user_of_several_projects_acts_in_the_first_or_the_one_named(self):
        user = self.user.with_role("second", ("admin",))
        change_users(self.users_file, lambda users: users.add(user))
        app = self.build(BasicFilter)
        self.ask(app, _basic("ann", PASSWORD))
        self.ask(app, {**_basic("ann", PASSWORD), "X-Project-Id": "second"})
        self.assertEqual([("lab", False), ("second", True)], [(seen.project_id, seen.is_admin) for seen in self.seen])

    def test_project_of_others_is_refused(self):
        response = self.ask(self.build(BasicFilter), {**_basic("ann", PASSWORD), "X-Project-Id": "second"})
        self.assertEqual((403, []), (response.status_int, self.seen))

    def test_user_who_lost_all_projects_is_refused(self):
        user = self.user.without_project("lab")
        change_users(self.users_file, lambda users: users.add(user))
        self.assertEqual(403, self.ask(self.build(BasicFilter), _basic("ann", PASSWORD)).status_int)


class PasswordCheckTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.user = self.add_user(password=PASSWORD)
        self.check = PasswordCheck(60, clock=lambda: self.now)

    def _is_known_without_hashing(self, user):
        with self.check._hashing:
            return self.check._is_remembered(self.check._digest(user.password, PASSWORD))

    def test_right_password_is_remembered_for_its_time(self):
        self.assertTrue(self.check.is_right(self.user, PASSWORD))
        self.assertTrue(self._is_known_without_hashing(self.user))
        self.now = 60.0
        self.assertFalse(self._is_known_without_hashing(self.user))
        self.assertTrue(self.check.is_right(self.user, PASSWORD))

    def test_wrong_password_is_not_remembered(self):
        self.assertFalse(self.check.is_right(self.user, "wrong one"))
        self.assertEqual({}, self.check._right_until)

    def test_changed_password_is_forgotten_at_once(self):
        self.assertTrue(self.check.is_right(self.user, PASSWORD))
        self.assertFalse(self.check.is_right(self.user.with_password("another one"), PASSWORD))

    def test_nothing_is_remembered_where_that_is_switched_off(self):
        check = PasswordCheck(0)
        self.assertTrue(check.is_right(self.user, PASSWORD))
        self.assertEqual({}, check._right_until)

    def test_no_password_is_in_what_is_remembered(self):
        self.assertTrue(self.check.is_right(self.user, PASSWORD))
        self.assertNotIn(PASSWORD, repr(self.check._right_until))
