"""A filter between a request and an application that tells which context it got."""

from dataclasses import replace
from pathlib import Path

import bcrypt
import fixtures
import testtools
import webob
from oslo_context.context import get_current

from glance_mini import conf as configuration
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.users import User, change_users

LEAST_ROUNDS = 4
"""The price of a password in these tests; bcrypt takes no less, and a check pays what the hash says."""


class FilterTestCase(testtools.TestCase):
    """Holds a configuration with a users file, and the contexts that passed the filter."""

    def setUp(self):
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.users_file = self.directory / "users.json"
        self.conf = configuration.load(files=["/dev/null"])
        self.conf.set_override("users_file", str(self.users_file), group="authentication")
        self.seen = []
        self.logged = []

    def add_user(self, name="ann", project="lab", roles=("member",), token=None, password=None):
        """Write one user to the file, in place of one of the same name."""
        user = User(name).with_role(project, roles)
        if token:
            user = user.with_token(token, project)
        if password:
            user = replace(user, password=bcrypt.hashpw(password.encode(), bcrypt.gensalt(LEAST_ROUNDS)).decode())
        change_users(self.users_file, lambda users: users.add(user))
        return user

    def build(self, kind, **options):
        """Return a filter of class ``kind`` in front of the application."""
        for name, value in options.items():
            self.conf.set_override(name, value)
        return kind(self._application, self.conf, Enforcer.from_config(self.conf))

    def ask(self, app, headers=(), **environ):
        """Return the response to a GET with ``headers``."""
        request = webob.Request.blank("/v2/images", headers=dict(headers), environ=environ or None)
        return request.get_response(app)

    def _application(self, environ, start_response):
        self.seen.append(environ["glance_mini.context"])
        self.logged.append(get_current())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"welcome"]
