"""The rbd driver against a real Ceph: the contract, what other clients see, and what goes wrong."""

from typing import ClassVar

from glance_mini_store.driver import Driver
from glance_mini_store.testing.contract import DriverContract
from tests.integration.base import ServiceTestCase
from tests.integration.storage.ceph import MODULES, Pools, modules

MIB = 1024 * 1024


class RbdTestCase(ServiceTestCase):
    """A test with pools that its class has for itself, empty at the start of each test."""

    pools: ClassVar[Pools | None] = None

    def setUp(self) -> None:
        conf = self.service("ceph")["TEST_RBD_CONF"]
        if modules() is None:
            self.skipTest(MODULES)
        kind = type(self)
        if kind.pools is None:
            kind.pools = Pools(conf)
            kind.pools.setUp()
        self.ceph = kind.pools
        self.ceph.empty()
        super().setUp()

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.pools is not None:
            cls.pools.cleanUp()
        super().tearDownClass()


class TestContract(DriverContract, RbdTestCase):
    def make_driver(self) -> Driver:
        return self.ceph.driver()

    def leftovers(self) -> list[str]:
        return self.ceph.images()


class TestContractThinWithADataPool(DriverContract, RbdTestCase):
    def make_driver(self) -> Driver:
        return self.ceph.driver(
            rbd_store_data_pool=self.ceph.data_name, rbd_thin_provisioning=True, rbd_store_chunk_size=1
        )

    def leftovers(self) -> list[str]:
        return self.ceph.images()
