"""The rbd store on a cluster whose daemons stop, die and come back in the middle."""

import signal
import time
import traceback
from collections.abc import Iterator
from typing import ClassVar

from testtools.content import text_content
from urllib3.exceptions import HTTPError

from glance_mini_store import errors
from glance_mini_store.drivers.rbd import RbdDriver
from tests.functional.faults import use_for_class
from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase
from tests.integration.served import Served
from tests.integration.storage.ceph import OwnCluster, Pools, require_modules
from tests.integration.storage.rbd_case import MIB, Images, configuration


class TestStoppedOsd(ServiceTestCase):
    """A cluster whose only OSD stops or dies in the middle; nothing waits longer than the options allow."""

    own: ClassVar[OwnCluster | None] = None
    ceph: ClassVar[Pools]

    def setUp(self) -> None:
        super().setUp()
        self.service("ceph")
        require_modules(self)
        if self.own is None:
            kind = type(self)
            kind.own = use_for_class(kind, OwnCluster())
            kind.ceph = use_for_class(kind, Pools(kind.own.conf))
        self.ceph.empty()

    def driver(self, seconds: int = 3) -> RbdDriver:
        driver = self.ceph.driver(rados_op_timeout=seconds, rados_connect_timeout=seconds)
        self.addCleanup(driver.close)
        return driver

    def is_discarded(self, driver: RbdDriver, name: str) -> bool:
        try:
            driver.discard(name)
        except errors.RemoteServiceUnavailable as error:
            self.addDetail("the last error", text_content("".join(traceback.format_exception(error))))
            return False
        return True

    def restarted_osd(self) -> None:
        self.own.kill_osd()
        self.own.start_osd()

    def test_stopped_osd_fails_transfers_in_time_and_they_work_when_it_goes_on(self) -> None:
        driver = self.driver()
        location = driver.write("name", [b"x" * 32 * MIB]).location
        reader = driver.read(location)
        next(reader)

        def source() -> Iterator[bytes]:
            yield b"y" * MIB
            self.own.signal_osd(signal.SIGSTOP)
            while True:
                yield b"y" * MIB

        started = time.monotonic()
        try:
            self.assertRaises(errors.RemoteServiceUnavailable, driver.write, "other", source())
            self.assertRaises(errors.RemoteServiceUnavailable, list, reader)
            for call in (driver.probe, driver.names, lambda: driver.size(location)):
                self.assertRaises(errors.RemoteServiceUnavailable, call)
            self.assertLess(time.monotonic() - started, 60)
        finally:
            self.own.signal_osd(signal.SIGCONT)
        # The OSD first answers what came while it was stopped.
        eventually(lambda: self.is_discarded(driver, "other"), "the rest is discarded")
        self.assertEqual(["name"], self.ceph.rbd.RBD().list(self.ceph.pool))
        self.assertEqual(b"x" * 32 * MIB, b"".join(driver.read(location)))

    def test_killed_osd_that_comes_back_interrupts_no_transfer(self) -> None:
        driver = self.driver(60)
        blocks = [bytes([number + 1]) * MIB for number in range(32)]

        def source() -> Iterator[bytes]:
            yield from blocks[:16]
            self.restarted_osd()
            yield from blocks[16:]

        started = time.monotonic()
        location = driver.write("name", source()).location
        reader = driver.read(location)
        first = next(reader)
        self.restarted_osd()
        self.assertEqual(blocks, [first, *reader])
        self.assertLess(time.monotonic() - started, 60)

    def test_killed_osd_that_stays_away_fails_all_in_time_and_leaves_nothing_once_it_is_back(self) -> None:
        options = configuration(self.ceph, rados_op_timeout=3)
        images = Images(self.useFixture(Served(options, users={"alice": ("demo", "member")})))
        image, read = images.create(), images.create()
        self.assertEqual(204, images.upload(read, b"z" * 32 * MIB).status_code)
        download = images.download(read, stream=True)
        self.addCleanup(download.close)
        self.assertEqual(b"z" * MIB, download.raw.read(MIB))
        driver = self.driver()
        location = driver.write("name", [b"x" * 32 * MIB]).location
        reader = driver.read(location)
        next(reader)
        killed = []

        def source() -> Iterator[bytes]:
            yield from [b"y" * MIB] * 24
            self.own.kill_osd()
            self.addCleanup(self.own.start_osd)
            killed.append(time.monotonic())
            yield from [b"y" * MIB] * 24

        self.assertEqual(503, images.upload(image, source()).status_code)
        self.assertLess(time.monotonic() - killed[0], 20)
        self.assertEqual("queued", images.show(image)["status"])
        self.assertRaises(HTTPError, download.raw.read)
        self.assertRaises(errors.RemoteServiceUnavailable, list, reader)
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.write, "other", [b"data"])
        self.assertTrue(errors.has_leftovers(error))
        for call in (lambda: driver.discard("other"), lambda: driver.delete(location)):
            self.assertRaises(errors.RemoteServiceUnavailable, call)
        self.assertLess(time.monotonic() - killed[0], 60)
        self.own.start_osd()
        self.assertEqual(b"x" * 32 * MIB, b"".join(driver.read(location)))
        driver.discard("other")
        driver.delete(location)
        self.assertEqual(b"z" * 32 * MIB, images.download(read).content)
        self.assertEqual(204, images.delete(read))
        eventually(lambda: not self.ceph.images(), "what the upload left is removed")

    def test_monitor_that_is_silent_is_waited_for_as_configured(self) -> None:
        driver = self.driver()
        self.own.signal_monitor(signal.SIGSTOP)
        started = time.monotonic()
        try:
            error = self.assertRaises(errors.RemoteServiceUnavailable, driver.check)
        finally:
            self.own.signal_monitor(signal.SIGCONT)
        self.assertIn("no monitor of Ceph lets", str(error))
        self.assertLess(time.monotonic() - started, 30)
