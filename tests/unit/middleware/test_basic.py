"""The flavour basic: credentials in the header, projects, and what is remembered of a password."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import testtools
from fixtures import TempDir

from glance_mini.api.middleware.basic import BasicFilter
from glance_mini.domain.errors import TooManyAttempts
from glance_mini.standalone.attempts import REMEMBERED, FailedAttempts, network_of
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


class TooManyAttemptsTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.add_user(password=PASSWORD)
        self.conf.set_override("password_failures", 2, group="authentication")
        self.app = self.build(BasicFilter)

    def status(self, name, password, address="192.0.2.1"):
        response = self.ask(self.app, _basic(name, password), REMOTE_ADDR=address)
        self.retry_after = response.headers.get("Retry-After")
        return response.status_int

    def test_user_name_that_failed_too_often_from_an_address_is_not_looked_at_again(self):
        self.assertEqual([401, 401, 429], [self.status("ann", "wrong") for _ in range(3)])
        self.assertEqual("60", self.retry_after)
        self.assertEqual(429, self.status("ann", PASSWORD))

    def test_others_are_not_held_up_by_it(self):
        self.add_user("bob", password=PASSWORD)
        for _ in range(3):
            self.status("ann", "wrong")
        self.app = self.build(BasicFilter)
        for _ in range(3):
            self.status("ann", "wrong")
        self.assertEqual(200, self.status("bob", PASSWORD))
        self.assertEqual(200, self.status("ann", PASSWORD, "192.0.2.2"))

    def test_remembered_password_is_let_in_whoever_else_guesses(self):
        self.assertEqual(200, self.status("ann", PASSWORD))
        self.assertEqual([401, 401, 429], [self.status("ann", "wrong") for _ in range(3)])
        self.assertEqual(200, self.status("ann", PASSWORD))

    def test_invented_names_are_counted_for_their_address(self):
        statuses = [self.status(f"name{number}", "wrong") for number in range(21)]
        self.assertEqual([401] * 20 + [429], statuses)
        self.assertEqual(401, self.status("name", "wrong", "192.0.2.2"))

    def test_any_number_is_allowed_where_the_limit_is_switched_off(self):
        self.conf.set_override("password_failures", 0, group="authentication")
        self.app = self.build(BasicFilter)
        self.assertEqual({401}, {self.status("ann", "wrong") for _ in range(12)})


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

    def test_only_so_many_wait_and_half_of_them_from_one_address(self):
        check = PasswordCheck(60, waiters=4)
        with check._hashing, ThreadPoolExecutor(4) as pool:
            waiting = [
                pool.submit(check.is_right, self.user, PASSWORD, "ann", address)
                for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3")
            ]
            while check._waiting.total() < 4:
                time.sleep(0.01)
            for address in ("192.0.2.1", "192.0.2.9"):
                error = self.assertRaises(TooManyAttempts, check.is_right, self.user, "wrong", "ann", address)
                self.assertEqual(1, error.values["seconds"])
            check._hashing.release()
            self.assertEqual([True] * 4, [each.result(30) for each in waiting])
            check._hashing.acquire()
        self.assertEqual(0, check._waiting.total())

    def test_one_address_never_takes_all_places(self):
        check = PasswordCheck(60, waiters=4)
        with check._hashing, ThreadPoolExecutor(3) as pool:
            first = [pool.submit(check.is_right, self.user, PASSWORD, "ann", "192.0.2.1") for _ in range(2)]
            while check._waiting.total() < 2:
                time.sleep(0.01)
            self.assertRaises(TooManyAttempts, check.is_right, self.user, "wrong", "bob", "192.0.2.1")
            other = pool.submit(check.is_right, self.user, PASSWORD, "ann", "192.0.2.2")
            while check._waiting.total() < 3:
                time.sleep(0.01)
            check._hashing.release()
            self.assertEqual([True] * 3, [each.result(30) for each in (*first, other)])
            check._hashing.acquire()


class FailedAttemptsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 100.0
        self.failures = FailedAttempts(2, 60, clock=lambda: self.now)

    def fail(self, *callers):
        for name, address in callers:
            self.failures.note(name, address)

    def test_failures_are_forgotten_after_their_time(self):
        self.fail(("a", "1"), ("a", "1"))
        self.now = 130.0
        error = self.assertRaises(TooManyAttempts, self.failures.check, "a", "1")
        self.assertEqual(30, error.values["seconds"])
        self.now = 160.0
        self.failures.check("a", "1")

    def test_right_password_forgets_the_failures_of_its_user(self):
        self.fail(("a", "1"))
        self.failures.forget("a", "1")
        self.fail(("a", "1"))
        self.failures.check("a", "1")

    def test_what_is_counted_is_bounded(self):
        self.fail(*((f"name{number}", str(number)) for number in range(REMEMBERED)))
        (number,) = self.failures._database.execute("SELECT count(*) FROM failures").fetchone()
        self.assertEqual(REMEMBERED, number)

    def test_processes_with_one_file_count_together(self):
        path = self.useFixture(TempDir()).join("failures")
        first, second = (FailedAttempts(2, 60, path, clock=lambda: self.now) for _ in range(2))
        first.note("a", "1")
        second.note("a", "1")
        for attempts in (first, second):
            self.assertRaises(TooManyAttempts, attempts.check, "a", "1")
        second.forget("a", "1")
        first.check("a", "1")

    def test_any_number_is_allowed_where_the_limit_is_0(self):
        failures = FailedAttempts(0, 60)
        for _ in range(3):
            failures.note("a", "1")
        failures.check("a", "1")

    def test_one_network_of_ipv6_is_one_caller(self):
        self.fail(("a", "2001:db8::1"), ("a", "2001:db8::2"))
        self.assertRaises(TooManyAttempts, self.failures.check, "a", "2001:db8::3")
        self.failures.check("a", "2001:db8:0:1::1")
        self.assertEqual("192.0.2.1", network_of("::ffff:192.0.2.1"))
