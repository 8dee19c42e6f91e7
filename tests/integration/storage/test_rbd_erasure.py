"""The rbd store with its data in an erasure-coded pool, on a cluster of three OSDs."""

from typing import ClassVar

from glance_mini_store.driver import Driver
from glance_mini_store.testing.content import pattern, pieces
from tests.functional.faults import use_for_class
from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase
from tests.integration.storage.ceph import OwnCluster, Pools, require_modules
from tests.integration.storage.rbd_case import MIB

POOL = "erasure"


class TestErasureCodedPool(ServiceTestCase):
    """Two blocks of data and one of parity, each on an OSD of its own."""

    ceph: ClassVar[Pools | None] = None

    def setUp(self) -> None:
        super().setUp()
        self.service("ceph")
        require_modules(self)
        kind = type(self)
        if kind.ceph is None:
            kind.ceph = use_for_class(kind, Pools(use_for_class(kind, OwnCluster(osds=3)).conf))
            profile = ["k=2", "m=1", "crush-failure-domain=osd"]
            kind.ceph.command("osd erasure-code-profile set", name=POOL, profile=profile)
            kind.ceph.command("osd pool create", pool=POOL, pg_num=8, pool_type="erasure", erasure_code_profile=POOL)
            kind.ceph.command("osd pool set", pool=POOL, var="allow_ec_overwrites", val="true")
            kind.ceph.command("osd pool application enable", pool=POOL, app="rbd")
            may = f"{kind.ceph.may}, profile rbd pool={POOL}"
            kind.ceph.command("auth caps", entity=f"client.{kind.ceph.name}", caps=["mon", "profile rbd", "osd", may])
        kind.ceph.empty()

    def make_driver(self, **options: object) -> Driver:
        driver = self.ceph.driver(rbd_store_data_pool=POOL, **options)
        self.addCleanup(driver.close)
        driver.check()
        return driver

    def data_objects(self, pool: str) -> list[str]:
        """Return the objects of a pool that hold data of images."""
        found = self.ceph.admin.open_ioctx(pool).list_objects()
        return [each.key for each in found if each.key.startswith("rbd_data")]

    def test_image_is_written_read_in_ranges_cloned_and_deleted(self) -> None:
        driver = self.make_driver()
        data = pattern(20 * MIB + 4097)
        for size in (len(data), None):
            location = driver.write("name", pieces(data), size).location
            self.assertEqual((len(data), data), (driver.size(location), b"".join(driver.read(location))))
            for offset, length in ((0, 1), (MIB - 1, 2 * MIB + 5), (len(data) - 3, None)):
                end = None if length is None else offset + length
                self.assertEqual(data[offset:end], b"".join(driver.read(location, offset, length)))
            self.assertEqual(3, len(self.data_objects(POOL)))
            self.assertEqual([], self.data_objects(self.ceph.name))
            self.ceph.rbd.RBD().clone(self.ceph.pool, "name", "snap", self.ceph.pool, "clone")
            with self.ceph.image("clone") as clone:
                self.assertEqual(data[: 4 * MIB], clone.read(0, 4 * MIB))
            self.ceph.rbd.RBD().remove(self.ceph.pool, "clone")
            driver.delete(location)
            self.assertEqual(([], []), (self.ceph.images(), self.data_objects(POOL)))

    def test_holes_take_no_space(self) -> None:
        driver = self.make_driver(rbd_thin_provisioning=True)
        data = bytes(32 * MIB) + pattern(MIB) + bytes(31 * MIB)
        location = driver.write("name", pieces(data), len(data)).location
        self.assertEqual(data, b"".join(driver.read(location)))
        self.assertEqual(1, len(self.data_objects(POOL)))

    def test_free_space_is_that_of_the_pool(self) -> None:
        """Ceph's manager counts a new pool after some seconds, and until then it has none."""
        driver = self.make_driver()
        self.assertGreater(eventually(driver.probe, "the pool has free space"), 1024 * MIB)
