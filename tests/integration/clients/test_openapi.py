"""No call that schemathesis makes up from the service's own OpenAPI document is answered with 5xx.

The classes make 5,000 calls together; ``python -m tests.integration.fuzz calls --count 100000`` makes more.
"""

import testtools

from tests.integration.fuzz.calls import make_calls, served

EXAMPLES = 15
AT_LEAST = 1700
"""Calls that one class makes."""


class OpenAPITest:
    """A mix-in; each class of it can run in a process of its own."""

    def assert_no_call_fails_the_server(self, user, is_about_one_image):
        made = make_calls(self.useFixture(served()), user, is_about_one_image, EXAMPLES)
        self.assertGreaterEqual(made, AT_LEAST)


class AdministratorTest(OpenAPITest, testtools.TestCase):
    def test_no_call_fails_the_server(self):
        self.assert_no_call_fails_the_server("root", is_about_one_image=False)


class AdministratorOfAnImageTest(OpenAPITest, testtools.TestCase):
    def test_no_call_fails_the_server(self):
        self.assert_no_call_fails_the_server("root", is_about_one_image=True)


class MemberOfAnImageTest(OpenAPITest, testtools.TestCase):
    def test_no_call_fails_the_server(self):
        self.assert_no_call_fails_the_server("alice", is_about_one_image=True)
