"""Both halves of the flavour keystone together, with a Keystone that does not answer."""

from types import SimpleNamespace

from glance_mini import conf as configuration
from glance_mini.api.middleware import keystone, keystone_context
from glance_mini.policies.enforcer import Enforcer
from tests.unit.middleware.harness import FilterTestCase
from tests.unit.middleware.test_other_flavours import CONFIRMED

CONFIGURATION = """
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:1/v3
www_authenticate_uri = http://keystone.example.org/v3
username = glance
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
http_request_max_retries = 0
"""


class KeystonePipelineTest(FilterTestCase):
    def setUp(self):
        super().setUp()
        file = self.directory / "glance-mini.conf"
        file.write_text(CONFIGURATION)
        self.conf = configuration.load(files=[file])
        services = SimpleNamespace(enforcer=Enforcer.from_config(self.conf))
        objects = {"conf": self.conf, "services": services}
        behind = keystone_context.filter_factory(objects)(self._application)
        self.app = keystone.filter_factory(objects)(behind)

    def test_refusal_tells_where_keystone_is(self):
        response = self.ask(self.app)
        self.assertEqual(401, response.status_int)
        self.assertIn("http://keystone.example.org", response.headers["WWW-Authenticate"])

    def test_while_keystone_is_away_a_token_is_no_wrong_one_and_lets_nobody_in(self):
        response = self.ask(self.app, {"X-Auth-Token": "t1"})
        self.assertEqual((503, []), (response.status_int, self.seen))
        self.assertIn("Retry-After", response.headers)

    def test_client_cannot_say_itself_who_it_is(self):
        headers = {**CONFIRMED, "X-Roles": "admin", "X-Service-Identity-Status": "Confirmed"}
        del headers["X-Auth-Token"]
        self.assertEqual(401, self.ask(self.app, headers).status_int)
        self.assertEqual([], self.seen)
