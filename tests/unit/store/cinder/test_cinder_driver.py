"""The cinder driver on a stand-in for Cinder and os-brick: the contract, the calls, what is undone after a failure."""

import os
import sys
import threading
from unittest import mock

import fixtures
import testtools
from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.cinder import CinderDriver
from glance_mini_store.drivers.cinder import holder as holders
from glance_mini_store.drivers.cinder.draft import Draft
from glance_mini_store.settings import resolve
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from glance_mini_store.testing import DriverContract
from tests.unit.store.cinder.stand_in import GIB, BrickFailure, HttpFailure, Refusal, StandIn

ID = "4b5d3a61-6f5c-4d64-9d1c-3f3ff4e6b1f0"


class StandInTestCase(testtools.TestCase):
    """A test with a stand-in, and a driver of the store ``volumes`` on it."""

    kind = "iscsi"

    def setUp(self):
        super().setUp()
        self.cinder = StandIn(self.useFixture(fixtures.TempDir()).path, self.kind)
        # What takes seconds in a data centre.
        self.useFixture(fixtures.MonkeyPatch("glance_mini_store.drivers.cinder.attaching.LINGER", 0.01))
        self.useFixture(fixtures.MonkeyPatch("glance_mini_store.drivers.cinder.attaching._FIRST_PAUSE", 0.01))
        self.useFixture(fixtures.MonkeyPatch("glance_mini_store.drivers.cinder.removal.LINGER", 0.01))
        self.useFixture(fixtures.MonkeyPatch("glance_mini_store.drivers.cinder.removal._PAUSE", 0.01))

    def new_driver(self, store_id="volumes", **values):
        driver = CinderDriver(self.cinder.libraries(), self.cinder.settings(**values), store_id)
        self.addCleanup(driver.close)
        return driver

    def content(self, location, offset=0, length=None):
        return b"".join(self.driver.read(location, offset, length))


class TestContract(DriverContract, StandInTestCase):
    """Volumes by iSCSI, as os-brick gives the paths of block devices."""

    def make_driver(self):
        return self.new_driver()

    def leftovers(self):
        return sorted(self.cinder.volumes)


class DriverTestCase(StandInTestCase):
    def setUp(self):
        super().setUp()
        self.driver = self.new_driver()

    def volume(self):
        """Return the only volume."""
        (volume,) = self.cinder.volumes.values()
        return volume

    def called(self):
        """Return the names of the calls of os-brick."""
        return [call[0] for call in self.cinder.calls]


class TestConfiguration(testtools.TestCase):
    def configure(self, **values):
        conf = cfg.ConfigOpts()
        conf([])
        settings = resolve(conf, "volumes", CinderDriver.options)
        for name, value in values.items():
            setattr(settings, name, value)
        return settings

    def refusal(self, **values):
        libraries = StandIn("/nowhere").libraries()
        error = self.assertRaises(
            errors.BadStoreConfiguration, CinderDriver, libraries, self.configure(**values), "volumes"
        )
        self.assertNotIn("hidden", str(error))
        return str(error)

    def test_missing_package_is_named_with_the_command_that_installs_it(self):
        with mock.patch.dict(sys.modules, {"keystoneauth1": None, "keystoneauth1.exceptions": None}):
            settings = self.configure(cinder_store_auth_address="https://keystone/v3")
            error = self.assertRaises(errors.DriverLoadFailure, CinderDriver.from_config, settings, "volumes")
        self.assertIn("pip install 'glance-mini[cinder]'", str(error))

    def test_store_without_any_address_is_refused(self):
        error = self.assertRaises(errors.BadStoreConfiguration, CinderDriver.from_config, self.configure(), "volumes")
        self.assertIn("cinder_store_auth_address", str(error))

    def test_what_the_credentials_lack_is_named(self):
        user = {"user_name": "glance", "password": "hidden", "project_name": "service"}
        application = {"application_credential_id": "id", "application_credential_secret": "hidden"}
        for complete in (user, application):
            for lacking in (*complete, "auth_address"):
                values = {**complete, "auth_address": "https://keystone/v3"}
                del values[lacking]
                options = {f"cinder_store_{name}": value for name, value in values.items()}
                self.assertIn(f"cinder_store_{lacking}: the store has credentials", self.refusal(**options))

    def test_catalog_entry_has_three_parts(self):
        address = {"cinder_store_auth_address": "https://keystone/v3"}
        for value in ("volumev3", "volumev3:publicURL", "::publicURL", "volumev3::"):
            self.assertIn("is not type:name:interface", self.refusal(**address, cinder_catalog_info=value))


class TestImages(DriverTestCase):
    def test_volume_has_whole_gibibytes_and_the_marks_of_the_image(self):
        caller = Caller("owner")
        location = self.driver.for_caller(caller).write("name", [b"some data"], 9).location
        volume = self.volume()
        self.assertEqual(f"cinder://volumes/{volume['id']}", location)
        self.assertEqual(("image-name", 1), (volume["name"], volume["size"]))
        marks = {name: value for name, value in volume["metadata"].items() if name != "glance_mini.write"}
        expected = {"glance_mini.image": "name", "glance_mini.store": "volumes", "glance_mini.state": "ready"}
        self.assertEqual({**expected, "image_size": "9", "image_owner": "owner"}, marks)

    def test_store_with_the_name_of_the_driver_writes_the_short_form(self):
        location = self.new_driver("cinder").write("name", [b"data"]).location
        self.assertEqual(f"cinder://{self.volume()['id']}", location)

    def test_both_forms_are_read_and_those_of_other_stores_are_not(self):
        self.driver.write("name", [b"data"])
        volume_id = self.volume()["id"]
        for location in (f"cinder://{volume_id}", f"cinder://volumes/{volume_id}"):
            self.assertEqual((b"data", 4), (self.content(location), self.driver.size(location)))
        for call in (self.driver.read, self.driver.size, self.driver.delete):
            self.assertRaises(errors.BadStoreUri, call, f"cinder://other/{volume_id}")
        self.driver.delete(f"cinder://{volume_id}")
        self.assertEqual({}, self.cinder.volumes)

    def test_short_location_is_in_the_store_that_wrote_the_volume(self):
        gold, cinder = (Store(self.new_driver(name), name) for name in ("gold", "cinder"))
        stores = Stores([Store(self.driver, "volumes"), gold, cinder])
        volume_id = gold.write("name", [b"data"]).location.rpartition("/")[2]
        own = cinder.write("other", [b"data"]).location
        for location, store in ((f"cinder://{volume_id}", "gold"), (own, "cinder"), (f"cinder://{ID}", "volumes")):
            self.assertEqual(store, stores.for_location(location).id)

    def test_short_location_of_a_volume_of_others_is_in_the_store_of_its_type(self):
        types = {"volumes": None, "gold": "images", "slow": "hard disks"}
        stores = Stores([Store(self.new_driver(name, cinder_volume_type=type_), name) for name, type_ in types.items()])
        for volume_type, store in (("images", "gold"), ("hard disks", "slow"), ("tape", "volumes"), (None, "volumes")):
            volume = (
                self.driver._cinder()
                ._account.client()
                .volumes.create(1, name="theirs", description="", volume_type=volume_type, metadata={})
            )
            location = f"cinder://{volume.to_dict()['id']}"
            self.assertEqual(store, stores.for_location(location).id, volume_type)
            self.assertEqual(GIB, stores.for_location(location).size(location))

    def test_cinder_that_does_not_answer_leaves_a_short_location_to_the_first_store(self):
        stores = Stores([Store(self.driver, "volumes"), Store(self.new_driver("gold"), "gold")])
        location = f"cinder://{stores.get('gold').write('name', [b'data']).location.rpartition('/')[2]}"
        self.cinder.fail("get", HttpFailure(500))
        self.assertEqual("gold", stores.for_location(location).id)
        self.cinder.fail("get", HttpFailure(500), after=1)
        self.assertEqual("volumes", stores.for_location(location).id)

    def test_draft_cannot_be_used(self):
        seen = []

        def source():
            yield b"x"
            location = f"cinder://volumes/{self.volume()['id']}"
            calls = (self.driver.read, self.driver.size, self.driver.delete)
            seen.extend(self.assertRaises(errors.NotFound, call, location) for call in calls)

        self.driver.write("name", source())
        self.assertEqual(3, len(seen))

    def test_volume_of_others_has_the_size_of_its_metadata_or_its_own(self):
        self.driver.write("name", [b"data"])
        volume = self.volume()
        location = f"cinder://{volume['id']}"
        volume["metadata"] = {"image_size": "3"}
        self.assertEqual((3, b"dat"), (self.driver.size(location), self.content(location)))
        volume["metadata"] = {}
        self.assertEqual((GIB, b"data\0"), (self.driver.size(location), self.content(location, 0, 5)))
        for wrong in (str(GIB + 1), "-1", "many"):
            volume["metadata"] = {"image_size": wrong}
            self.assertRaises(errors.RemoteServiceUnavailable, self.driver.size, location)

    def test_volume_of_another_project_is_refused(self):
        location = self.driver.write("name", [b"data"]).location
        self.volume()["os-vol-tenant-attr:tenant_id"] = "another"
        for call in (self.driver.read, self.driver.size, self.driver.delete):
            self.assertRaises(errors.Forbidden, call, location)
        self.assertEqual(1, len(self.cinder.volumes))

    def test_volumes_of_others_are_not_discarded_nor_in_the_way(self):
        location = self.driver.write("name", [b"data"]).location
        other = self.new_driver("other")
        other.discard("name")
        self.assertEqual(b"data", self.content(location))
        other.write("name", [b"other"])
        self.driver.discard("name")
        self.assertEqual("other", self.volume()["metadata"]["glance_mini.store"])
        self.assertEqual(({"name"}, set()), (other.names(), self.driver.names()))

    def test_volume_with_snapshots_is_not_deleted(self):
        location = self.driver.write("name", [b"data"]).location
        self.cinder.snapshots.append(self.volume()["id"])
        self.assertRaises(errors.HasSnapshot, self.driver.delete, location)
        self.assertEqual(b"data", self.content(location))

    def test_volume_that_somebody_has_attached_is_not_deleted(self):
        location = self.driver.write("name", [b"data"]).location
        volume_id = self.volume()["id"]
        self.cinder.attached["a"] = {"volume_id": volume_id, "device": "/dev/vdb", "mode": "rw"}
        self.assertRaises(errors.InUseByStore, self.driver.delete, location)
        self.assertEqual(1, len(self.cinder.volumes))

    def test_free_bytes_are_those_of_the_quota(self):
        self.cinder.limit = 10
        self.driver.write("name", [b"data"])
        self.assertEqual(9 * GIB, self.driver.probe())
        self.cinder.limit = -1
        self.assertIsNone(self.driver.probe())

    def test_properties_are_those_of_the_list_of_stores(self):
        driver = self.new_driver(cinder_volume_type="images", cinder_use_multipath=True)
        self.assertEqual({"volume_type": "images", "use_multipath": True}, driver.properties())

    def test_check_names_a_wrong_password_and_a_missing_type(self):
        self.cinder.fail("token", Refusal("hidden"))
        error = self.assertRaises(errors.BadStoreConfiguration, self.driver.check)
        self.assertIn("cinder_store_password", str(error))
        self.assertNotIn("hidden", str(error))
        self.new_driver(cinder_volume_type="images").check()
        error = self.assertRaises(errors.BadStoreConfiguration, self.new_driver(cinder_volume_type="none").check)
        self.assertIn("there is no volume type 'none'", str(error))


class TestWithoutCredentials(DriverTestCase):
    def setUp(self):
        super().setUp()
        self.driver = self.new_driver(
            cinder_store_user_name=None,
            cinder_store_password=None,
            cinder_store_project_name=None,
            cinder_endpoint_template="https://cinder/v3/%(project_id)s",
        )

    def test_volumes_are_those_of_the_caller(self):
        driver = self.driver.for_caller(Caller("project", "user", (), "token"))
        location = driver.write("name", [b"data"]).location
        self.assertEqual(b"data", b"".join(driver.read(location)))
        driver.delete(location)
        self.assertEqual({}, self.cinder.volumes)

    def test_without_a_token_nothing_is_done(self):
        for driver in (self.driver, self.driver.for_caller(Caller("project"))):
            for call in (driver.discard, lambda name, driver=driver: driver.write(name, [b"data"])):
                self.assertRaises(errors.StorageWriteDenied, call, "name")
            self.assertRaises(errors.StorageWriteDenied, driver.size, f"cinder://{ID}")
        self.assertEqual((None, None), (self.driver.probe(), self.driver.names()))
        self.driver.check()


class TestGrowth(DriverTestCase):
    """Data is in sparse files, so that chunks at the end of large volumes cost nothing."""

    def write(self, driver, gib, announced=None):
        """Let a draft be written whose data ends behind ``gib`` GiB; return the sizes that its volume had."""
        sizes = []

        def skipping(draft, chunk):
            # As if so much had been written.
            draft.received = gib * GIB
            sizes.append(self.volume()["size"])
            return append(draft, chunk)

        append = Draft.append
        with mock.patch.object(Draft, "append", skipping):
            written = driver.write("name", [b"x"], announced)
        sizes.append(self.volume()["size"])
        return written, sizes

    def test_volume_of_unknown_size_is_extended_while_it_is_detached(self):
        written, sizes = self.write(self.driver, 1)
        self.assertEqual(([1, 2], GIB + 1), (sizes, written.size))
        self.assertEqual(b"\0x", self.content(written.location, GIB - 1))
        once = ["factory", "connect", "disconnect"]
        self.assertEqual(["init", "properties", *once, *once], self.called()[:8])

    def test_volume_is_extended_where_it_is_attached_if_that_is_wanted(self):
        written, sizes = self.write(self.new_driver(cinder_do_extend_attached=True), 1)
        self.assertEqual(([1, 2], GIB + 1), (sizes, written.size))
        self.assertEqual(["init", "properties", "factory", "connect", "extend", "disconnect"], self.called())

    def test_volume_grows_by_a_quarter_or_by_what_is_needed_if_the_quota_allows_no_more(self):
        written, sizes = self.write(self.driver, 8, 8 * GIB)
        self.assertEqual([8, 10], sizes)
        self.driver.delete(written.location)
        self.cinder.limit = 9
        _, sizes = self.write(self.driver, 8, 8 * GIB)
        self.assertEqual([8, 9], sizes)

    def test_full_quota_in_the_middle_leaves_nothing(self):
        self.cinder.limit = 1
        self.assertRaises(errors.StorageFull, self.write, self.driver, 1)
        self.assertEqual(({}, {}), (self.cinder.volumes, self.cinder.attached))

    def test_full_quota_at_the_start_leaves_nothing(self):
        error = self.assertRaises(errors.StorageFull, self.driver.write, "name", [b"x"], 1001 * GIB)
        self.assertIn("VolumeSizeExceedsAvailableQuota", str(error))
        self.assertEqual({}, self.cinder.volumes)


class TestFailures(DriverTestCase):
    def test_failure_of_every_step_of_a_write_leaves_nothing(self):
        unavailable = errors.RemoteServiceUnavailable
        for name, after, error, expected in (
            ("get", 1, HttpFailure(500), unavailable),
            ("set_metadata", 0, HttpFailure(500), unavailable),
            ("attach", 0, HttpFailure(500), unavailable),
            ("connect", 0, BrickFailure("no portal"), unavailable),
            ("complete", 0, HttpFailure(500), unavailable),
            ("disconnect", 0, BrickFailure("busy"), unavailable),
            ("detach", 0, HttpFailure(500), unavailable),
            ("set_metadata", 1, HttpFailure(500), unavailable),
            ("set_metadata", 1, HttpFailure(403), errors.StorageWriteDenied),
        ):
            self.cinder.fail(name, error, after)
            self.assertRaises(expected, self.driver.write, "name", [b"data"])
            self.assertEqual(({}, {}), (self.cinder.volumes, self.cinder.attached), f"{name} {after}")

    def test_volume_that_could_not_be_removed_marks_the_error_of_the_source(self):
        for refused in (False, True):
            failure = ValueError("client gone")

            def source(refused=refused, failure=failure):
                yield b"data"
                if refused:
                    self.cinder.fail("delete", HttpFailure(500))
                raise failure

            self.assertRaises(ValueError, self.driver.write, "name", source())
            self.assertEqual((refused, int(refused)), (errors.has_leftovers(failure), len(self.cinder.volumes)))
            self.driver.discard("name")
            self.assertEqual({}, self.cinder.volumes)

    def test_volume_whose_answer_is_lost_is_found(self):
        self.cinder.fail("create", ConnectionResetError())
        location = self.driver.write("name", [b"data"]).location
        self.assertEqual((b"data", 1), (self.content(location), len(self.cinder.volumes)))

    def test_failed_detachment_after_a_read_is_no_error(self):
        location = self.driver.write("name", [b"data"]).location
        self.cinder.fail("detach", HttpFailure(500))
        self.assertEqual(b"data", self.content(location))

    def test_volume_that_cinder_cannot_make_is_told_of_and_removed(self):
        self.cinder.new_status = "error"
        error = self.assertRaises(errors.RemoteServiceUnavailable, self.driver.write, "name", [b"data"])
        self.assertIn("is in the state error; no backend has room", str(error))
        self.assertEqual({}, self.cinder.volumes)

    def test_volume_that_is_attached_once_only_is_waited_for(self):
        location = self.driver.write("name", [b"data"]).location
        self.cinder.multiattach = False
        volume_id = self.volume()["id"]
        self.cinder.attached["a"] = {"volume_id": volume_id, "device": "/dev/vdb", "mode": "rw"}
        self.volume()["status"] = "in-use"
        error = self.assertRaises(errors.RemoteServiceUnavailable, self.content, location)
        self.assertIn("status must be available", str(error))
        self.assertEqual(6, self.cinder.requests.count("attach"))
        threading.Timer(0.02, lambda: self.driver._cinder().detach("a", location)).start()
        self.assertEqual(b"data", self.content(location))

    def test_attachment_of_a_process_that_has_ended_is_removed_by_who_needs_the_volume(self):
        location = self.driver.write("name", [b"data"]).location
        child = os.fork()
        if not child:
            os._exit(0)
        mark = holders.mark().rpartition(":")[0].rpartition(":")[0] + f":{child}:1"
        os.waitpid(child, 0)
        for use in (self.content, self.driver.delete):
            self.cinder.multiattach = False
            self.volume()["status"] = "in-use"
            self.cinder.attached["dead"] = {"volume_id": self.volume()["id"], "device": mark, "mode": "ro"}
            use(location)
            self.assertNotIn("dead", self.cinder.attached)
        self.assertEqual({}, self.cinder.volumes)


class TestCalls(DriverTestCase):
    """What os-brick is asked for."""

    def test_write_and_read_connect_and_disconnect_once(self):
        location = self.driver.write("name", [b"data"]).location
        self.content(location)
        self.driver.close()
        path = self.cinder.path(self.volume()["id"])
        factory = ("factory", "iscsi", "sudo", False, "/var/lib/glance-mini/mnt")
        once = [factory, ("connect", self.volume()["id"]), ("disconnect", self.volume()["id"], path)]
        self.assertEqual([("init", ["sudo"]), ("properties", "sudo", False, False), *once, *once], self.cinder.calls)

    def test_readers_of_one_process_share_an_attachment(self):
        location = self.driver.write("name", [b"data"]).location
        self.cinder.requests.clear()
        first, second = self.driver.read(location), self.driver.read(location, 2)
        self.assertEqual((b"data", b"ta"), (b"".join(first), b"".join(second)))
        self.assertEqual(1, self.cinder.requests.count("attach"))

    def test_volume_stays_attached_for_a_while_after_its_last_reader(self):
        self.useFixture(fixtures.MonkeyPatch("glance_mini_store.drivers.cinder.attaching.LINGER", 60))
        location = self.driver.write("name", [b"data"]).location
        self.cinder.requests.clear()
        self.assertEqual((b"da", b"ta"), (self.content(location, 0, 2), self.content(location, 2)))
        self.assertEqual((1, 1), (self.cinder.requests.count("attach"), len(self.cinder.attached)))
        self.driver.delete(location)
        self.assertEqual(({}, {}), (self.cinder.volumes, self.cinder.attached))

    def test_closed_store_leaves_nothing_attached_but_what_is_being_read(self):
        self.useFixture(fixtures.MonkeyPatch("glance_mini_store.drivers.cinder.attaching.LINGER", 60))
        locations = [self.driver.write(name, [b"data"]).location for name in ("one", "two")]
        self.content(locations[0])
        reader = self.driver.read(locations[1])
        self.driver.close()
        self.assertEqual([reader._volume_id], [each["volume_id"] for each in self.cinder.attached.values()])
        self.assertEqual(b"data", b"".join(reader))
        self.assertEqual({}, self.cinder.attached)

    def test_volume_is_attached_for_writing_by_writers_only(self):
        modes = []

        def source():
            modes.extend(each["mode"] for each in self.cinder.attached.values())
            yield b"data"

        location = self.driver.write("name", source()).location
        reader = self.driver.read(location)
        modes.extend(each["mode"] for each in self.cinder.attached.values())
        reader.close()
        self.assertEqual(["rw", "ro"], modes)

    def test_device_that_another_process_of_this_host_uses_stays_connected(self):
        location = self.driver.write("name", [b"data"]).location
        parent = holders.mark()
        reader = self.driver.read(location)
        self.cinder.attached["other"] = {"volume_id": self.volume()["id"], "device": parent, "mode": "ro"}
        self.cinder.calls.clear()
        reader.close()
        self.driver.close()
        self.assertEqual(([], ["other"]), (self.called(), list(self.cinder.attached)))

    def test_multipath_is_asked_for(self):
        driver = self.new_driver(cinder_use_multipath=True, cinder_enforce_multipath=True)
        driver.write("name", [b"data"])
        self.assertIn(("properties", "sudo", True, True), self.cinder.calls)
        self.assertIn(("factory", "iscsi", "sudo", True, "/var/lib/glance-mini/mnt"), self.cinder.calls)

    def test_without_root_rights_only_volumes_on_ceph_are_used(self):
        driver = self.new_driver(cinder_root_helper=None)
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.write, "name", [b"data"])
        self.assertIn("a volume by iscsi needs root rights: set cinder_root_helper", str(error))
        self.assertEqual(({}, [], {}), (self.cinder.volumes, self.cinder.calls, self.cinder.attached))

    def test_encrypted_volumes_and_files_that_are_not_raw_are_refused(self):
        for info, words in (({"encrypted": True}, "encrypted"), ({"format": "qcow2"}, "format qcow2")):
            self.cinder.info = info
            error = self.assertRaises(errors.RemoteServiceUnavailable, self.driver.write, "name", [b"data"])
            self.assertIn(words, str(error))
            self.assertEqual(({}, {}), (self.cinder.volumes, self.cinder.attached))


class TestNfs(DriverTestCase):
    kind = "nfs"

    def test_files_of_shares_are_mounted_below_the_configured_folder(self):
        self.cinder.info = {"export": "server:/share", "format": "raw"}
        driver = self.new_driver(cinder_mount_point_base="/mnt/images")
        location = driver.write("name", [b"data"]).location
        self.assertEqual(b"data", b"".join(driver.read(location)))
        self.assertIn(("factory", "nfs", "sudo", False, "/mnt/images"), self.cinder.calls)


class TestHolders(testtools.TestCase):
    def test_this_process_has_not_ended(self):
        self.assertTrue(holders.is_mark(holders.mark()))
        self.assertTrue(holders.is_on_this_host(holders.mark()))
        self.assertFalse(holders.has_ended(holders.mark()))

    def test_processes_of_earlier_boots_and_earlier_holders_of_a_number_have_ended(self):
        prefix, host, namespace, boot, process, started = holders.mark().split(":")
        for changed in ((boot, process, "1"), (boot, "999999999", started), ("earlier", process, started)):
            self.assertTrue(holders.has_ended(":".join((prefix, host, namespace, *changed))), changed)

    def test_nothing_is_known_of_others(self):
        prefix, _, namespace, *rest = holders.mark().split(":")
        elsewhere = ":".join((prefix, "elsewhere", namespace, *rest))
        for device in (elsewhere, "/dev/vdb", "na", "", "glance-mini:"):
            self.assertFalse(holders.has_ended(device), device)
        self.assertEqual((True, False), (holders.is_mark(elsewhere), holders.is_mark("/dev/vdb")))
