"""A driver on a real Cinder, and an administrator of that Cinder who sees and removes what the driver leaves."""

import contextlib
import time
import uuid

import fixtures
from keystoneauth1 import session
from keystoneauth1.identity import v3
from oslo_config import cfg

from glance_mini_store.drivers.cinder import CinderDriver
from glance_mini_store.settings import resolve
from tests.integration.base import ServiceTestCase
from tests.integration.storage.ceph import require_modules

SECONDS = 30
PATIENCE = 120
IMAGE = "glance_mini.image"
STORE = "glance_mini.store"


def new_driver(store_id="volumes", **values):
    """Return the driver of a store with the options ``values``."""
    conf = cfg.ConfigOpts()
    conf([])
    settings = resolve(conf, store_id, CinderDriver.options)
    for name, value in values.items():
        assert hasattr(settings, name), name
        setattr(settings, name, value)
    return CinderDriver.from_config(settings, store_id)


class Project:
    """A project of Cinder as one of its users sees it."""

    def __init__(self, service, user, project, url=None):
        # Only the integration tests have it; all tests are imported to be listed.
        from cinderclient.api_versions import APIVersion
        from cinderclient.v3.client import Client

        self.user, self.project = user, project
        self._plugin = v3.Password(
            service["TEST_KEYSTONE_URL"],
            username=user,
            password=service["TEST_KEYSTONE_PASSWORD"],
            user_domain_id="default",
            project_name=project,
            project_domain_id="default",
        )
        self.session = session.Session(self._plugin, timeout=SECONDS)
        self.client = Client(session=self.session, api_version=APIVersion("3.54"))

    @property
    def id(self):
        """Return the id of the project."""
        return self.session.get_project_id()

    @property
    def token(self):
        """Return a new token of the user."""
        self._plugin.invalidate()
        return self.session.get_token()

    def volumes(self, store_id):
        """Return the volumes of a store, sorted by name."""
        found = self.client.volumes.list(search_opts={"metadata": str({STORE: store_id})})
        return sorted(found, key=lambda volume: volume.name)

    def begin_to_remove(self, volume_id):
        """Let Cinder remove a volume with its snapshots and attachments, as far as it can do that now."""
        from cinderclient.exceptions import ClientException

        with contextlib.suppress(ClientException):
            for attachment in self.client.attachments.list(search_opts={"volume_id": volume_id}):
                self.client.attachments.delete(attachment)
            self.client.volumes.delete(volume_id, cascade=True)


class VolumeType(fixtures.Fixture):
    """A volume type of one's own, which lets several hosts attach a volume unless ``multiattach`` is False.

    At the end it is removed, with all volumes of the type.
    """

    def __init__(self, admin, multiattach=True):
        super().__init__()
        self._admin = admin
        self._multiattach = multiattach
        self.name = f"test-{uuid.uuid4().hex[:12]}"

    def _setUp(self):
        self._made = self._admin.client.volume_types.create(self.name)
        self.addCleanup(self._remove)
        if self._multiattach:
            self._made.set_keys({"multiattach": "<is> True"})

    def _remove(self):
        deadline = time.monotonic() + PATIENCE
        while volumes := self._volumes():
            if time.monotonic() > deadline:
                raise AssertionError(f"these volumes stay: {volumes}")
            for volume in volumes:
                if volume.status != "deleting":
                    self._admin.begin_to_remove(volume.id)
            time.sleep(0.5)
        self._admin.client.volume_types.delete(self._made)

    def _volumes(self):
        found = self._admin.client.volumes.list(search_opts={"all_tenants": 1})
        return [volume for volume in found if volume.volume_type == self.name]


class CinderTestCase(ServiceTestCase):
    """A test with the service ``cinder``, a store of its own and a volume type of its class."""

    volume_type = None
    admin = None
    account = None

    def setUp(self):
        kind = type(self)
        if kind.volume_type is None:
            kind.cinder = self.service("cinder")
            kind.ceph = self.service("ceph")
            require_modules(self)
            kind.admin = Project(self.cinder, "cinder", "service")
            kind.volume_type = VolumeType(kind.admin)
            kind.volume_type.setUp()
        self.store_id = f"store-{uuid.uuid4().hex[:12]}"
        self.addCleanup(self.remove_all)
        super().setUp()

    @classmethod
    def tearDownClass(cls):
        if cls.volume_type is not None:
            cls.volume_type.cleanUp()
        super().tearDownClass()

    def options(self, **values):
        """Return the options of a store with an account of its own, and ``values``."""
        return {
            "cinder_store_auth_address": self.cinder["TEST_KEYSTONE_URL"],
            "cinder_store_user_name": "glance",
            "cinder_store_password": self.cinder["TEST_KEYSTONE_PASSWORD"],
            "cinder_store_project_name": "service",
            "cinder_volume_type": self.volume_type.name,
            "cinder_rbd_keyring": self.ceph["TEST_RBD_KEYRING"],
            **values,
        }

    def new_driver(self, **values):
        """Return a driver with an account of its own, and the options ``values``."""
        driver = new_driver(self.store_id, **self.options(**values))
        self.addCleanup(driver.close)
        if not values:
            # Keystone and Cinder take their time for each new token.
            kind = type(self)
            driver._own = kind.account = kind.account or driver._own
        return driver

    def volumes(self):
        """Return the volumes of the store in the project of the service."""
        return self.admin.volumes(self.store_id)

    def volume_names(self):
        """Return the names of these volumes."""
        return [volume.name for volume in self.volumes()]

    def remove_all(self):
        """Let these volumes be removed."""
        for volume in self.volumes():
            self.admin.begin_to_remove(volume.id)
