"""The cinder driver against a real Cinder with volumes on Ceph: the contract, what others see, and what goes wrong."""

from glance_mini_store.testing import DriverContract
from tests.integration.storage.cinder_volumes import CinderTestCase


class TestContract(DriverContract, CinderTestCase):
    def make_driver(self):
        return self.new_driver()

    def leftovers(self):
        return self.volume_names()
