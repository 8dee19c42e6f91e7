"""A region of its own in the real Keystone, in which a test's image service stands.

Tests that run side by side do not meet: each has its catalog entry, its limits and its images.
"""

import uuid
from pathlib import Path

import fixtures
import openstack
import requests
import yaml
from keystoneauth1 import session
from keystoneauth1.identity import v3

from tests.functional.service import Client
from tests.integration.served import Served

DOMAIN = "default"
HOMES = {"alice": "demo", "bob": "other", "reader": "demo", "admin": "admin", "glance": "service"}
"""The users of ``services/keystone`` and the project in which each is used here."""

_AUTHENTICATION = """
[paste_deploy]
flavor = keystone
[keystone_authtoken]
www_authenticate_uri = {url}
service_token_roles = service
service_token_roles_required = true
region_name = {region}
interface = public
{credentials}
"""
_CREDENTIALS = """\
auth_type = password
auth_url = {url}
username = glance
password = {password}
user_domain_id = default
"""


class Cloud(fixtures.Fixture):
    """Keystone as ``ServiceTestCase.service`` describes it, with a region that has an image service at ``url``."""

    def __init__(self, keystone, url):
        super().__init__()
        self.keystone_url = keystone["TEST_KEYSTONE_URL"]
        self._password = keystone["TEST_KEYSTONE_PASSWORD"]
        self.image_url = url
        self.region = f"test-{uuid.uuid4().hex}"

    def _setUp(self):
        self.admin = openstack.connection.Connection(session=self.session("admin"), region_name="RegionOne")
        self.addCleanup(self.admin.close)
        self.identity = self.admin.identity
        self.identity.create_region(id=self.region)
        self.addCleanup(self.identity.delete_region, self.region)
        self.image_service = self.identity.find_service("glance", ignore_missing=False)
        self._publish(self.identity.find_service("keystone", ignore_missing=False), self.keystone_url)
        self._publish(self.image_service, self.image_url)

    def _publish(self, service, url):
        place = {"service_id": service.id, "region_id": self.region}
        endpoint = self.identity.create_endpoint(interface="public", url=url, **place)
        self.addCleanup(self.identity.delete_endpoint, endpoint)

    def login(self, user):
        """Return what ``auth`` of a clouds.yaml says for ``user``."""
        return {
            "auth_url": self.keystone_url,
            "username": user,
            "password": self._password,
            "project_name": HOMES[user],
            "user_domain_id": DOMAIN,
            "project_domain_id": DOMAIN,
        }

    def session(self, user, **scope):
        """Return a keystoneauth session of ``user``, in the usual project or in another ``scope``."""
        login = self.login(user)
        if scope:
            login = {name: value for name, value in login.items() if not name.startswith("project")} | scope
        return session.Session(auth=v3.Password(**login))

    def connect(self, user):
        """Return a connection of openstacksdk."""
        return openstack.connection.Connection(session=self.session(user), region_name=self.region)

    def project_id(self, user):
        """Return the id of the project in which ``user`` is used here."""
        return self.identity.find_project(HOMES[user], domain_id=DOMAIN, ignore_missing=False).id

    def write_clouds(self, path):
        """Write a clouds.yaml with a cloud for each user, by the user's name."""
        clouds = {user: {"auth": self.login(user), "region_name": self.region} for user in HOMES}
        Path(path).write_text(yaml.safe_dump({"clouds": clouds}))
        return path

    def authentication(self):
        """Return what the configuration of the image service says to stand in this cloud."""
        credentials = self.credentials() + "project_name = service\nproject_domain_id = default\n"
        return _AUTHENTICATION.format(url=self.keystone_url, region=self.region, credentials=credentials)

    def credentials(self):
        """Return the options by which the image service itself gets tokens, without their scope."""
        return _CREDENTIALS.format(url=self.keystone_url, password=self._password)


class CloudService(fixtures.Fixture):
    """A running image service in a cloud of its own; ``more`` is further configuration, a text or a function of
    the cloud."""

    def __init__(self, keystone, more=""):
        super().__init__()
        self._keystone = keystone
        self._more = more

    def _setUp(self):
        served = Served("")
        self.cloud = self.useFixture(Cloud(self._keystone, served.url))
        more = self._more(self.cloud) if callable(self._more) else self._more
        self.served = self.useFixture(Served(self.cloud.authentication() + more, port=served.port))
        self.url = self.served.url
        self._tokens = {}

    def client(self):
        """Return the command line clients, with every user as a cloud."""
        return self.useFixture(Client(self.cloud.write_clouds(self.served.root / "clouds.yaml")))

    def headers(self, user, **more):
        """Return the headers with a token of ``user``."""
        if user not in self._tokens:
            self._tokens[user] = self.cloud.session(user).get_token()
        return {"X-Auth-Token": self._tokens[user], **more}

    def request(self, user, method, path, **arguments):
        """Return the answer to ``user``; None is somebody without a token."""
        headers = {**(self.headers(user) if user else {}), **arguments.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **arguments)
