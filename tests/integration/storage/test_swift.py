"""The ``swift`` driver on a real Swift, with the users of TempAuth and with those of Keystone."""

from glance_mini_store import errors
from glance_mini_store.testing import DriverContract
from tests.integration.storage.swift_account import keystone_account, make_driver
from tests.integration.storage.swift_case import SwiftTestCase


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
        return self.single_tenant(swift_store_temp_url_key=self.give_key())


class TestTempAuthInSegments(InKeptContainers, DriverContract, SwiftTestCase):
    """With the smallest segments, so that data of the contract has several."""

    def new_driver(self):
        return self.single_tenant(
            swift_store_large_object_size=1,
            swift_store_large_object_chunk_size=1,
            swift_store_temp_url_key=self.give_key(),
        )


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
            swift_store_temp_url_key=self.give_key(),
        )


class TestKey(SwiftTestCase):
    def test_store_whose_account_has_another_key_is_refused(self):
        self.give_key()
        driver = self.single_tenant(swift_store_temp_url_key="a wrong one")
        error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
        self.assertIn("swift_store_temp_url_key", str(error))
        self.assertNotIn("a wrong one", str(error))


class TestMultiTenant(InTheAccount, DriverContract, SwiftTestCase):
    def account_of_the_store(self):
        return keystone_account(self.swift, "alice", "demo")

    def new_driver(self):
        return self.multi_tenant().for_caller(self.caller())
