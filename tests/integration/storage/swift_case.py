"""What the tests of the ``swift`` driver have in common."""

import fixtures

from glance_mini_store.caller import Caller
from tests.integration.base import ServiceTestCase
from tests.integration.storage.swift_account import keystone_access, make_driver, new_container, tempauth_account


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

    def give_key(self, key="key of all tests"):
        """Give the account of the store a key of temporary URLs, the same in all tests, and return it."""
        self.account_of_the_store().request("POST", headers={"X-Account-Meta-Temp-URL-Key": key})
        return key

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
