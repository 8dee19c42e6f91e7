"""Images that were deleted with ``delayed_delete``: their data stays for a while, can be restored, and then goes."""

from datetime import timedelta

import testtools

from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import NotFound
from glance_mini.operations import data, images
from glance_mini.testing.application import ApplicationFixture
from glance_mini.transfers.reaper import Reaper
from glance_mini.workers.scrubbing import Scrubber
from tests.unit.workers.support import Clock

HOUR = 3600
BASE = {"name": "disk", "disk_format": "raw", "container_format": "bare", "owner": "p1"}


class TestDelayedDelete(testtools.TestCase):
    def setUp(self):
        super().setUp()
        options = {"DEFAULT": {"delayed_delete": "true", "scrub_time": HOUR}}
        self.service = self.useFixture(ApplicationFixture(options))
        self.data, self.stores = self.service.services.data, self.service.services.stores
        self.clock = Clock(utcnow())
        self.scrubber = Scrubber(self.data, 300, self.clock)

    def call(self, op, caller="member"):
        return self.service.stack.call(self.service.context(caller), op)

    def store(self):
        """Return a new image with data."""
        image = self.call(images.CreateImage(base=BASE))
        return self.call(data.UploadData(image.id, chunks=iter([b"content"]), size=7))

    def delete(self, image):
        self.assertEqual("pending_delete", self.call(images.DeleteImage(image.id)).status)

    def is_stored(self, image):
        """Tell whether the data of the image is in its store."""
        location = image.locations[0]
        try:
            self.stores.get(location.store).size(location.url)
        except Exception:
            return False
        return True

    def reap(self):
        services = self.service.services
        return Reaper(self.data, self.stores, services.leases, services.metrics, 60, self.clock).reap()

    def test_deleted_image_is_seen_by_nobody_and_its_data_stays(self):
        image = self.store()
        self.delete(image)
        for caller in ("member", "admin"):
            self.assertRaises(NotFound, self.call, images.GetImage(image.id), caller)
            self.assertRaises(NotFound, self.call, images.DeleteImage(image.id), caller)
        self.assertEqual(0, self.scrubber.scrub())
        self.clock.move(HOUR - 10)
        self.assertEqual(0, self.scrubber.scrub())
        self.assertEqual(0, self.reap())
        self.assertTrue(self.is_stored(image))

    def test_restored_image_has_its_data_and_stays(self):
        image = self.store()
        self.delete(image)
        self.data.restore_pending(image.id, utcnow())
        self.clock.move(2 * HOUR)
        self.assertEqual(0, self.scrubber.scrub())
        self.assertEqual(b"content", b"".join(self.call(data.DownloadData(image.id)).chunks))

    def test_data_goes_when_its_time_is_over(self):
        image, other = self.store(), self.store()
        self.delete(image)
        self.clock.move(HOUR + 1)
        self.assertEqual(1, self.scrubber.scrub())
        self.assertEqual(0, self.scrubber.scrub())
        self.assertRaises(NotFound, self.data.restore_pending, image.id, utcnow())
        self.clock.move(61)
        self.assertEqual(1, self.reap())
        self.assertFalse(self.is_stored(image))
        self.assertTrue(self.is_stored(other))

    def test_more_images_than_are_given_at_once_go_in_one_round(self):
        for _ in range(101):
            self.delete(self.store())
        self.clock.move(HOUR + 1)
        self.assertEqual(101, self.scrubber.scrub())

    def test_data_that_the_store_keeps_is_tried_until_it_is_gone(self):
        image = self.store()
        self.delete(image)
        self.clock.move(HOUR + 1)
        self.scrubber.scrub()
        driver = self.stores.get(image.locations[0].store).driver
        delete, driver.delete = driver.delete, self.refuse
        for _ in range(2):
            self.clock.move(61)
            self.assertEqual(1, self.reap())
        self.assertTrue(self.is_stored(image))
        driver.delete = delete
        self.clock.move(61)
        self.assertEqual(1, self.reap())
        self.assertFalse(self.is_stored(image))
        self.clock.now += timedelta(days=1)
        self.assertEqual(0, self.reap())

    def refuse(self, *_arguments):
        raise OSError("The disk is away.")

    def test_image_without_data_is_deleted_at_once(self):
        image = self.call(images.CreateImage(base=BASE))
        self.assertEqual("deleted", self.call(images.DeleteImage(image.id)).status)
