"""The rbd driver against a real Ceph: the contract, what other clients see, and what goes wrong."""

import gc
import hashlib
import time
import uuid
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from testtools import ExpectedException

from glance_mini_store import errors
from glance_mini_store.driver import Driver
from glance_mini_store.drivers.rbd import RbdDriver, library
from glance_mini_store.drivers.rbd.cluster import Access, Cluster
from glance_mini_store.drivers.rbd.draft import Form
from glance_mini_store.testing import DriverContract
from glance_mini_store.testing.content import in_threads, pattern
from tests.integration.storage.ceph import Pools
from tests.integration.storage.rbd_case import MIB, DriverTestCase, RbdTestCase


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


class Counted:
    """An image whose requests a test counts."""

    def __init__(self, image: Any) -> None:
        self._image = image

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image, name)


class TestImages(DriverTestCase):
    """What other clients of Ceph see."""

    def extents(self, name: str, snapshot: str = "snap") -> int:
        """Return the bytes that were written to an image."""
        found: list[int] = []
        with self.ceph.image(name, snapshot) as image:
            image.diff_iterate(0, image.size(), None, lambda _, length, exists: found.append(length if exists else 0))
        return sum(found)

    def clone(self, name: str, clone: str) -> None:
        self.ceph.rbd.RBD().clone(self.ceph.pool, name, "snap", self.ceph.pool, clone)

    def test_location_names_cluster_pool_image_and_protected_snapshot(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        fsid = self.ceph.admin.get_fsid()
        self.assertEqual(f"rbd://{fsid}/{self.ceph.name}/name/snap", location)
        with self.ceph.image("name") as image:
            self.assertEqual(["snap"], [each["name"] for each in image.list_snaps()])
            self.assertEqual((True, 4), (image.is_protected_snap("snap"), image.size()))

    def test_properties_are_those_of_the_list_of_stores(self) -> None:
        driver = self.new_driver(rbd_store_chunk_size=4)
        self.assertIsNone(driver.properties()["fsid"])
        driver.check()
        expected = {
            "chunk_size": 4 * MIB,
            "pool": self.ceph.name,
            "thin_provisioning": False,
            "fsid": self.ceph.admin.get_fsid(),
        }
        self.assertEqual(expected, driver.properties())
        location = driver.write("name", [b"data"]).location
        self.assertTrue(location.startswith(driver.prefixes[0]))
        with self.ceph.image("name") as image:
            self.assertEqual(4 * MIB, image.stat()["obj_size"])

    def test_short_location_leads_to_the_snapshot(self) -> None:
        self.driver.write("name", [b"data"])
        with self.ceph.image("name") as image:
            image.write(b"DATA", 0)
        self.assertEqual((b"data", 4), (self.content("rbd://name"), self.driver.size("rbd://name")))
        self.driver.delete("rbd://name")
        self.assertEqual([], self.ceph.images())

    def test_short_location_leads_to_an_old_image_without_a_snapshot(self) -> None:
        self.ceph.rbd.RBD().create(self.ceph.pool, "old", 4)
        with self.ceph.image("old") as image:
            image.write(b"data", 0)
        self.assertEqual(b"data", self.content("rbd://old"))
        self.driver.delete("rbd://old")
        self.assertEqual([], self.ceph.images())

    def test_draft_cannot_be_read_by_either_form(self) -> None:
        seen: list[str] = []

        def source() -> Iterator[bytes]:
            yield b"x" * MIB
            for location in (self.driver._locate("name"), "rbd://name"):
                for call in (self.driver.read, self.driver.size, self.driver.delete):
                    self.assertRaises(errors.NotFound, call, location)
                    seen.append(location)
            yield b"y"

        self.driver.write("name", source(), None)
        self.assertEqual(6, len(seen))

    def test_other_pools_and_clusters_are_refused(self) -> None:
        self.driver.write("name", [b"data"])
        fsid = self.ceph.admin.get_fsid()
        for place in (f"{fsid}/{self.ceph.data_name}", f"{uuid.uuid4()}/{self.ceph.name}"):
            for call in (self.driver.read, self.driver.size, self.driver.delete):
                self.assertRaises(errors.BadStoreUri, call, f"rbd://{place}/name/snap")

    def test_image_of_unknown_size_grows_and_ends_with_the_right_size(self) -> None:
        data = b"".join(bytes([number]) * MIB for number in range(1, 71))
        pieces = (data[start : start + 3 * MIB] for start in range(0, len(data), 3 * MIB))
        written = self.driver.write("name", pieces, None)
        self.assertEqual((len(data), len(data)), (written.size, self.driver.size(written.location)))
        self.assertEqual(data, self.content(written.location))

    def test_blocks_of_zeros_are_not_written_if_thin(self) -> None:
        """256 MiB of which 24 MiB are data, in pieces that fit no object."""
        size, piece = 256 * MIB, 3 * MIB
        places = range(MIB + 65536, size - piece, 32 * MIB)
        whole = bytearray(size)
        for place in places:
            whole[place : place + piece] = b"\xa5" * piece
        chunks = [bytes(whole[start : start + 4 * MIB]) for start in range(0, size, 4 * MIB)]
        driver = self.new_driver(rbd_thin_provisioning=True, rbd_store_chunk_size=1)
        location = driver.write("thin", chunks, size).location
        self.assertLessEqual(self.extents("thin"), len(places) * piece * 1.2)
        self.assertEqual(hashlib.sha256(whole).digest(), hashlib.sha256(self.content(location)).digest())
        self.driver.write("thick", [bytes(16 * MIB)])
        self.assertEqual(16 * MIB, self.extents("thick"))

    def test_a_tenth_of_data_costs_a_tenth_to_write_and_to_read(self) -> None:
        """160 MiB of which 16 MiB are data, in two whole objects."""
        driver = self.new_driver(rbd_thin_provisioning=True)
        data = pattern(8 * MIB)
        whole = [bytes(8 * MIB), data, *[bytes(8 * MIB)] * 10, data, *[bytes(8 * MIB)] * 7]
        location = driver.write("thin", whole, 160 * MIB).location
        self.assertEqual(16 * MIB, self.extents("thin"))
        self.assertEqual(2, len(self.ceph.data_objects()))
        asked: list[int] = []
        found = library.load()

        def open_image(*arguments: Any, **options: Any) -> library.Image:
            image = found.open_image(*arguments, **options)
            read = image.read
            counted = Counted(image)
            counted.read = lambda offset, length: asked.append(length) or read(offset, length)
            return counted

        cluster = Cluster(replace(found, open_image=open_image), Access(self.ceph.user_conf, self.ceph.name, None, 60))
        reader = RbdDriver(cluster, self.ceph.name, Form(23, None, thin=True))
        self.addCleanup(reader.close)
        self.assertEqual(b"".join(whole), b"".join(reader.read(location)))
        self.assertEqual(16 * MIB, sum(asked))
        asked.clear()
        self.assertEqual(data[-5:] + bytes(7), b"".join(reader.read(location, 16 * MIB - 5, 12)))
        self.assertEqual([5], asked)

    def test_data_goes_to_its_own_pool(self) -> None:
        driver = self.new_driver(rbd_store_data_pool=self.ceph.data_name)
        location = driver.write("name", [b"x" * 3 * MIB]).location
        data = self.ceph.admin.open_ioctx(self.ceph.data_name)
        self.assertIn("rbd_data", {each.key.split(".")[0] for each in data.list_objects()})
        self.assertEqual([], [each.key for each in self.ceph.pool.list_objects() if each.key.startswith("rbd_data")])
        self.assertEqual(b"x" * 3 * MIB, self.content(location))

    def test_image_with_a_clone_stays_protected_and_readable(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        self.clone("name", "clone")
        with self.ceph.image("clone") as clone:
            clone.write(b"D", 0)
            self.assertEqual(b"Data", clone.read(0, 4))
        self.assertRaises(errors.InUseByStore, self.driver.delete, location)
        self.assertRaises(errors.InUseByStore, self.driver.discard, "name")
        with self.ceph.image("name") as image:
            self.assertTrue(image.is_protected_snap("snap"))
        self.assertEqual(b"data", self.content(location))
        self.ceph.rbd.RBD().remove(self.ceph.pool, "clone")
        self.driver.delete(location)
        self.assertEqual([], self.ceph.images())

    def test_clones_of_both_formats_in_any_pool_keep_the_image(self) -> None:
        """The user may not use the other pool."""
        elsewhere = self.useFixture(Pools(self.ceph.conf))
        for clone_format in (1, 2):
            for pools in (self.ceph, elsewhere):
                name = f"of-format-{clone_format}"
                location = self.driver.write("name", [b"data"]).location
                self.ceph.clone_by_tool("name", f"{pools.name}/{name}", clone_format)
                self.assertRaises(errors.InUseByStore, self.driver.delete, location)
                self.assertRaises(errors.InUseByStore, self.driver.discard, "name")
                with self.ceph.image("name") as image:
                    self.assertTrue(image.is_protected_snap("snap"))
                with pools.image(name) as clone:
                    self.assertEqual(b"data", clone.read(0, 4))
                self.ceph.rbd.RBD().remove(pools.pool, name)
                self.driver.delete(location)
                self.assertEqual([], self.ceph.images())

    def test_image_with_a_snapshot_of_others_is_not_deleted(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        with self.ceph.image("name") as image:
            image.create_snap("backup")
        self.assertRaises(errors.HasSnapshot, self.driver.delete, location)
        with self.ceph.image("name") as image:
            self.assertTrue(image.is_protected_snap("snap"))
        self.assertEqual(b"data", self.content(location))

    def test_image_that_is_open_elsewhere_is_not_deleted(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        with self.ceph.image("name") as image:
            self.assertRaises(errors.InUseByStore, self.driver.delete, location)
            self.assertTrue(image.is_protected_snap("snap"))
        self.assertEqual(b"data", self.content(location))

    def test_reader_of_a_deleted_image_gets_an_error_and_no_zeros(self) -> None:
        data = b"x" * 16 * MIB
        location = self.driver.write("name", [data]).location
        reader = self.driver.read(location)
        got = next(reader)
        self.driver.delete(location)
        self.driver.write("name", [bytes(16 * MIB)])
        with ExpectedException(errors.NotFound):
            for block in reader:
                got += block
        self.assertEqual(data[: len(got)], got)

    def test_images_of_others_are_not_discarded(self) -> None:
        self.ceph.rbd.RBD().create(self.ceph.pool, "volume", 4)
        with self.ceph.image("volume") as image:
            image.write(b"data", 0)
        self.driver.write("name", [b"data"])
        self.clone("name", "clone")
        for name in ("volume", "clone"):
            self.driver.discard(name)
        self.assertEqual(["clone", "name", "volume"], sorted(self.ceph.rbd.RBD().list(self.ceph.pool)))
        self.assertRaises(errors.Duplicate, self.driver.write, "volume", [b"other"])
        with self.ceph.image("volume") as image:
            self.assertEqual(b"data", image.read(0, 4))

    def test_names_are_those_of_the_pool(self) -> None:
        self.driver.write("name", [b"data"])
        self.assertEqual({"name"}, self.driver.names())

    def test_discard_empties_the_trash_of_the_name(self) -> None:
        self.driver.write("name", [b"data"])
        self.ceph.rbd.RBD().trash_move(self.ceph.pool, "name", 0)
        self.driver.discard("name")
        self.assertEqual([], self.ceph.images())

    def test_image_whose_reading_is_given_up_is_closed_at_once(self) -> None:
        """Python must not find it later: it could do so in a thread of Ceph, and that ends the process."""
        location = self.driver.write("name", [pattern(9 * MIB)]).location
        gc.disable()
        self.addCleanup(gc.enable)
        blocks = self.driver.read(location)
        next(blocks)
        gone = weakref.ref(blocks)
        del blocks
        self.assertIsNone(gone())

    def test_transfers_at_once_share_one_connection(self) -> None:
        found = library.load()
        made: list[library.Connection] = []

        def connect(**options: Any) -> library.Connection:
            made.append(found.make_connection(**options))
            return made[-1]

        cluster = Cluster(
            replace(found, make_connection=connect), Access(self.ceph.user_conf, self.ceph.name, None, 60)
        )
        driver = RbdDriver(cluster, self.ceph.name, Form(23, None, thin=False))
        self.addCleanup(driver.close)
        in_threads(lambda number=number: driver.write(f"name{number}", [b"data"]) for number in range(8))
        self.assertEqual((1, 8), (len(made), len(driver.names())))


class TestFaults(DriverTestCase):
    """What goes wrong with pools, users and quotas."""

    def test_missing_pool_is_named(self) -> None:
        for option in ("rbd_store_pool", "rbd_store_data_pool"):
            error = self.assertRaises(errors.RemoteServiceUnavailable, self.new_driver(**{option: "nowhere"}).check)
            self.assertIn("there is no Ceph pool 'nowhere'", str(error))
        driver = self.new_driver(rbd_store_pool="nowhere")
        for call in (driver.probe, driver.names, lambda: driver.write("name", [b"data"])):
            self.assertRaises(errors.RemoteServiceUnavailable, call)

    def test_pool_that_is_removed_is_missing_and_not_its_images(self) -> None:
        pools = self.useFixture(Pools(self.ceph.conf))
        driver = pools.driver()
        self.addCleanup(driver.close)
        location = driver.write("name", [b"data"]).location
        pools.command("osd pool delete", pool=pools.name, pool2=pools.name, yes_i_really_really_mean_it=True)
        # The driver's connection has learnt of it when it has the latest map of the cluster.
        self.assertRaises(errors.RemoteServiceUnavailable, driver._cluster.require_pool, pools.name)
        for call in (driver.read, driver.size, driver.delete):
            self.assertRaises(errors.RemoteServiceUnavailable, call, location)

    def test_configuration_that_cannot_be_read_is_named(self) -> None:
        driver = self.new_driver(rbd_store_ceph_conf="/nowhere/ceph.conf")
        error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
        self.assertIn("rbd_store_ceph_conf: /nowhere/ceph.conf cannot be used: No such file", str(error))

    def test_object_size_that_is_no_power_of_two_is_refused(self) -> None:
        self.assertRaises(errors.BadStoreConfiguration, self.new_driver, rbd_store_chunk_size=6)

    def test_user_without_a_key_is_named(self) -> None:
        error = self.assertRaises(errors.RemoteServiceUnavailable, self.new_driver(rbd_store_user="nobody").check)
        self.assertIn("client.nobody", str(error))

    def test_wrong_key_is_refused_and_not_shown(self) -> None:
        key = "AQAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAA=="
        keyring = f"[client.{self.ceph.name}]\nkey = {key}\n".encode()
        conf = self.ceph.new_user(self.ceph.name, self.ceph.may, keyring)
        driver = self.new_driver(rbd_store_ceph_conf=conf)
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.check)
        self.assertIn(f"Ceph refuses the user client.{self.ceph.name}", str(error))
        self.assertNotIn(key, str(error))

    def test_user_of_other_pools_is_refused(self) -> None:
        name = f"{self.ceph.name}-other"
        self.addCleanup(self.ceph.command, "auth rm", entity=f"client.{name}")
        conf = self.ceph.new_user(name, f"profile rbd pool={self.ceph.data_name}")
        driver = self.new_driver(rbd_store_ceph_conf=conf, rbd_store_user=name)
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.check)
        self.assertIn(f"does not let client.{name} use the pool", str(error))
        location = self.driver.write("name", [b"data"]).location
        self.assertRaises(errors.StorageWriteDenied, driver.write, "other", [b"data"])
        for call in (driver.read, driver.size, driver.delete):
            self.assertRaises(errors.Forbidden, call, location)
        self.assertEqual(["name"], self.ceph.rbd.RBD().list(self.ceph.pool))

    def test_user_who_may_only_read_reads(self) -> None:
        name = f"{self.ceph.name}-reader"
        self.addCleanup(self.ceph.command, "auth rm", entity=f"client.{name}")
        conf = self.ceph.new_user(name, f"profile rbd-read-only pool={self.ceph.name}")
        reader = self.new_driver(rbd_store_ceph_conf=conf, rbd_store_user=name)
        location = self.driver.write("name", [b"data"]).location
        self.assertEqual(b"data", b"".join(reader.read(location)))
        self.assertRaises(errors.StorageWriteDenied, reader.write, "other", [b"data"])
        self.assertRaises(errors.StoreError, reader.delete, location)
        self.assertEqual(b"data", self.content(location))

    def test_pool_whose_quota_is_reached_is_full(self) -> None:
        """Ceph notices with a delay, so the source does not end before that."""
        pools = self.useFixture(Pools(self.ceph.conf))
        driver = pools.driver()
        self.addCleanup(driver.close)
        driver.check()
        location = driver.write("name", [b"data"]).location
        pools.command("osd pool set-quota", pool=pools.name, field="max_bytes", val=str(8 * MIB))
        deadline = time.monotonic() + 120

        def source() -> Iterator[bytes]:
            while time.monotonic() < deadline:
                yield b"x" * MIB
                time.sleep(0.2)

        self.assertRaises(errors.StorageFull, driver.write, "large", source())
        self.assertRaises(errors.StorageFull, driver.write, "other", [b"data"])
        self.assertEqual(0, driver.probe())
        self.assertEqual(["name"], pools.rbd.RBD().list(pools.pool))
        self.assertEqual(b"data", b"".join(driver.read(location)))
        driver.delete(location)
        self.assertEqual([], pools.images())

    def test_client_that_was_shut_out_connects_again(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        address = self.driver._cluster._connection().get_addrs()
        self.ceph.command("osd blocklist", blocklistop="add", addr=address.split("/")[0].split(":", 1)[-1] and address)
        self.assertRaises(errors.RemoteServiceUnavailable, self.driver.write, "other", [b"data"])
        self.driver.discard("other")
        self.assertEqual(b"data", self.content(location))
