"""The ``swift`` driver on a real Swift, with the users of TempAuth and with those of Keystone."""

import fixtures

from glance_mini_store.caller import Caller
from glance_mini_store.testing import DriverContract
from tests.integration.base import ServiceTestCase
from tests.integration.storage.swift_account import (
    keystone_access,
    keystone_account,
    make_driver,
    new_container,
    tempauth_account,
)


class SwiftTestCase(ServiceTestCase):
    """A test with the service ``swift`` and a container of its own."""

    def setUp(self):
        self.swift = self.service("swift")
        self.container = new_container()
        super().setUp()

    def account_of_the_store(self):
        """Return the account that the driver writes to."""
        return tempauth_account(self.swift)

    def references(self, **sections):
        """Return the path of a file with the references, each a dict."""
        path = f"{self.useFixture(fixtures.TempDir()).path}/swift.conf"
        with open(path, "w") as file:
            for name, values in sections.items():
                file.write(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))
        return path

    def tempauth_reference(self):
        return {
            "auth_address": self.swift["TEST_SWIFT_AUTH"],
            "auth_version": "1",
            "user": self.swift["TEST_SWIFT_USER"],
            "key": self.swift["TEST_SWIFT_KEY"],
        }

    def keystone_reference(self, user="glance", project="service"):
        return {
            "auth_address": self.swift["TEST_KEYSTONE_URL"],
            "user": f"{project}:{user}",
            "key": self.swift["TEST_KEYSTONE_PASSWORD"],
        }

    def single_tenant(self, **options):
        """Return a driver with the account of TempAuth."""
        path = self.references(ref1=self.tempauth_reference())
        values = {"swift_store_create_container_on_put": True, "swift_store_container": self.container, **options}
        driver = make_driver(swift_store_config_file=path, **values)
        self.addCleanup(driver.close)
        return driver

    def multi_tenant(self, **options):
        """Return a driver with the accounts of Keystone's projects."""
        driver = make_driver(
            swift_store_multi_tenant=True,
            swift_store_auth_address=self.swift["TEST_KEYSTONE_URL"],
            swift_store_user="service:glance",
            swift_store_key=self.swift["TEST_KEYSTONE_PASSWORD"],
            swift_store_container=self.container,
            **options,
        )
        self.addCleanup(driver.close)
        return driver

    def caller(self, user="alice", project="demo"):
        """Return the caller with a new token."""
        _, access = keystone_access(self.swift, user, project)
        return Caller(access.project_id, access.user_id, (), access.auth_token)


class InTheAccount:
    """What the contract needs of the backend."""

    def make_driver(self):
        account = self.account_of_the_store()
        self.addCleanup(account.remove, self.container)
        driver = self.new_driver()
        driver.check()
        return driver

    def leftovers(self):
        return self.account_of_the_store().everything(self.container)


class InKeptContainers(InTheAccount):
    """A single-tenant store keeps its containers."""

    def leftovers(self):
        return [path for path in super().leftovers() if "/" in path]


class TestTempAuth(InKeptContainers, DriverContract, SwiftTestCase):
    def new_driver(self):
        return self.single_tenant()


class TestTempAuthInSegments(InKeptContainers, DriverContract, SwiftTestCase):
    """With the smallest segments, so that data of the contract has several."""

    def new_driver(self):
        return self.single_tenant(swift_store_large_object_size=1, swift_store_large_object_chunk_size=1)


class TestKeystone(InKeptContainers, DriverContract, SwiftTestCase):
    def account_of_the_store(self):
        return keystone_account(self.swift, "glance", "service")

    def new_driver(self):
        return make_driver(
            swift_store_config_file=self.references(mine=self.keystone_reference()),
            default_swift_reference="mine",
            swift_store_container=self.container,
            swift_store_create_container_on_put=True,
            swift_store_multiple_containers_seed=2,
        )


class TestMultiTenant(InTheAccount, DriverContract, SwiftTestCase):
    def account_of_the_store(self):
        return keystone_account(self.swift, "alice", "demo")

    def new_driver(self):
        return self.multi_tenant().for_caller(self.caller())


class TestMultiTenantWithoutAToken(InTheAccount, DriverContract, SwiftTestCase):
    """The store acts for a project, as in a job."""

    def account_of_the_store(self):
        return keystone_account(self.swift, "alice", "demo")

    def new_driver(self):
        project_id = self.caller().project_id
        return self.multi_tenant().for_caller(Caller(project_id))
