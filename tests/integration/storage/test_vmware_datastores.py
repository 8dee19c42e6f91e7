"""The VMware driver with several datastores of the vCenter simulator."""

from fixtures import FakeLogger

from glance_mini_store import errors
from tests.integration.storage.vcenter import VcenterTestCase


class TestDatastores(VcenterTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(FakeLogger(level=0))

    def second(self):
        """Return the name of a second datastore of the simulator, which the test needs."""
        self.unchecked()
        if not self.has("LocalDS_1"):
            self.lacks("this simulator has one datastore")
        return "LocalDS_1"

    def has(self, name):
        try:
            self.new_driver(vmware_datastores=[f"DC0:{name}:1"])
        except errors.BadStoreConfiguration:
            return False
        return True

    def test_data_goes_to_the_datastore_with_the_highest_weight(self):
        second = self.second()
        driver = self.new_driver(vmware_datastores=["DC0:LocalDS_0:5", f"DC0:{second}:50"])
        location = driver.write("name", [b"data"]).location
        self.assertIn(f"dsName={second}", location)
        self.assertEqual([[], ["name"]], [self.stored(), self.stored(second)])

    def test_name_that_is_taken_in_another_datastore_is_a_duplicate(self):
        second = self.second()
        self.new_driver(vmware_datastores=["DC0:LocalDS_0"]).write("name", [b"data"])
        driver = self.new_driver(vmware_datastores=["DC0:LocalDS_0:5", f"DC0:{second}:50"])
        self.assertRaises(errors.Duplicate, driver.write, "name", [b"data"])

    def test_names_and_discard_look_into_every_datastore(self):
        second = self.second()
        both = self.new_driver(vmware_datastores=["DC0:LocalDS_0:5", f"DC0:{second}:50"])
        self.new_driver(vmware_datastores=["DC0:LocalDS_0"]).write("first", [b"data"])
        both.write("second", [b"data"])
        self.assertEqual({"first", "second"}, set(both.names()))
        both.discard("first")
        both.discard("second")
        self.assertEqual([[], []], [self.stored(), self.stored(second)])

    def test_datastore_that_is_no_longer_configured_is_still_read(self):
        second = self.second()
        location = self.new_driver(vmware_datastores=[f"DC0:{second}"]).write("name", [b"data"]).location
        driver = self.new_driver()
        self.assertEqual(b"data", b"".join(driver.read(location)))
        driver.delete(location)
        self.assertEqual([], self.stored(second))

    def test_size_that_fits_nowhere_is_storage_full(self):
        driver = self.new_driver()
        self.assertRaises(errors.StorageFull, driver.write, "name", [b"data"], 2**60)
        self.assertEqual([], self.stored())

    def test_missing_datastore_or_datacenter_stops_the_start(self):
        for missing in ("DC0:nowhere:1", "DC9:LocalDS_0:1"):
            driver = self.unchecked(vmware_datastores=[missing])
            error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
            self.assertIn(missing.rpartition(":")[0], str(error))
