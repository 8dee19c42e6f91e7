"""The VMware driver with the vCenter simulator: the contract, and what lies in a datastore."""

import contextlib
import threading

from fixtures import FakeLogger

from glance_mini_store import errors
from glance_mini_store.testing import DriverContract
from glance_mini_store.testing.content import SourceError, broken, in_killed_process, pattern
from tests.integration.storage.memory import growth_of_transfers
from tests.integration.storage.vcenter import VcenterTestCase

MIB = 1024 * 1024


class TestVmwareContract(DriverContract, VcenterTestCase):
    def make_driver(self):
        return self.new_driver()

    def leftovers(self):
        return self.stored()


class TestVmware(VcenterTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(FakeLogger(level=0))
        self.driver = self.new_driver()

    def test_location_names_server_folder_datacenter_and_datastore(self):
        written = self.driver.write("name", [b"data"], 4)
        expected = (
            f"vsphere://{self.vcenter['TEST_VCENTER']}/folder/images/{self.folder}/name?dcPath=DC0&dsName=LocalDS_0"
        )
        self.assertEqual(expected, written.location)

    def test_data_is_under_a_hidden_name_until_the_last_chunk(self):
        seen = []

        def source():
            yield pattern(MIB)
            seen.append(self.stored_soon())
            yield b"end"

        self.driver.write("name", source(), None)
        self.assertRegex(seen[0][0], r"^\.name\.[0-9a-f]{16}\.part$")
        self.assertEqual([1, ["name"]], [len(seen[0]), self.stored()])

    def test_draft_cannot_be_read_by_its_location(self):
        location = self.driver.write("name", [b"data"]).location
        draft = location.replace("/name?", "/.name.0123456789abcdef.part?")
        self.assertRaises(errors.BadStoreUri, self.driver.read, draft)

    def test_writer_whose_draft_was_discarded_publishes_nothing(self):
        def source():
            yield pattern(MIB)
            yield pattern(MIB)
            self.driver.discard("name")

        self.assertRaises(errors.StorageWriteDenied, self.driver.write, "name", source())
        self.assertEqual([], self.stored())

    def test_discard_leaves_other_files_alone(self):
        for name in ("name-2", "other"):
            self.driver.write(name, [b"data"])
        self.driver.discard("name")
        self.assertEqual(["name-2", "other"], self.stored())

    def test_folders_and_climbing_paths_are_no_images(self):
        location = self.driver.write("name", [b"data"]).location
        folder = location.replace("/name?", "?")
        self.assertRaises(errors.NotFound, self.driver.delete, folder)
        self.assertRaises(errors.NotFound, self.driver.size, folder)
        for path in ("/../name?", "/%2e%2e/name?", "//name?", "/na%0ame?"):
            self.assertRaises(errors.BadStoreUri, self.driver.delete, location.replace("/name?", path))
        self.assertEqual(["name"], self.stored())

    def test_location_on_another_server_is_refused_before_the_cookie_is_sent(self):
        location = self.driver.write("name", [b"data"]).location
        other = location.replace(self.vcenter["TEST_VCENTER"], "192.0.2.1")
        for call in (self.driver.read, self.driver.size, self.driver.delete):
            self.assertRaises(errors.BadStoreUri, call, other)

    def test_probe_returns_the_free_bytes_of_the_datastores(self):
        self.assertGreater(self.driver.probe(), 0)

    def test_properties_name_the_datastores_and_no_credential(self):
        shown = dict(self.driver.properties())
        self.assertEqual(["DC0:LocalDS_0:10"], shown["datastores"])
        self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], str(shown))

    def test_source_that_fails_in_the_middle_leaves_nothing_with_a_known_size(self):
        for size in (10 * MIB, None):
            source = broken(pattern(2 * MIB), SourceError())
            self.assertRaises(SourceError, self.driver.write, "name", source, size)
            self.assertEqual([], self.stored())

    def test_fewer_bytes_than_announced_leave_nothing(self):
        self.assertRaises(errors.SizeMismatch, self.driver.write, "name", [b"data"], 5)
        self.assertEqual([], self.stored())

    def test_killed_upload_can_be_discarded(self):
        in_killed_process(lambda source: self.driver.write("name", source, 3 * MIB))
        self.assertEqual({"name"}, set(self.driver.names()))
        self.assertRegex(self.stored()[0], r"^\.name\.")
        self.driver.discard("name")
        self.assertEqual([], self.stored())

    def test_two_writes_under_one_name_leave_one(self):
        inside = threading.Barrier(2)

        def source(data):
            yield data
            inside.wait(60)

        locations = []

        def write(data):
            with contextlib.suppress(errors.Duplicate):
                locations.append((self.driver.write("name", source(data)).location, data))

        threads = [threading.Thread(target=write, args=(data,)) for data in (b"first", b"second")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([1, ["name"]], [len(locations), self.stored()])
        self.assertEqual(locations[0][1], b"".join(self.driver.read(locations[0][0])))


class TestMemory(VcenterTestCase):
    def test_transfer_holds_little_memory_whatever_its_size(self):
        self.assertLess(growth_of_transfers(self.new_driver(), ("known", "unknown")), 16 * MIB)
