"""Images that were deleted with ``delayed_delete``: their data stays for a while, can be restored, and then goes."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import testtools
from sqlalchemy import insert

from glance_mini.db.sqlalchemy.models import deletions
from glance_mini.domain.changes import LocationChange
from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import Conflict, NotFound
from glance_mini.domain.image import Location
from glance_mini.domain.job import FAILURE, PENDING, SUCCESS, JobQuery
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.jobs.scrub import ScrubJob
from glance_mini.layers.stack import load_stack
from glance_mini.maintenance.reaper import Reaper
from glance_mini.operations import data, images, imports, tasks
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.records import DeleteFromTrash, ListRemovals, LoadImage, MarkDeleted
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.application import ApplicationFixture
from glance_mini.testing.timed import TimedAccess
from glance_mini_store.errors import InUseByStore, RemoteServiceUnavailable
from tests.unit.workers.support import Clock, make_worker

HOUR = 3600
BASE = {"name": "disk", "disk_format": "raw", "container_format": "bare", "owner": "p1"}
SCRUBS = JobQuery(kinds=("scrub",), sort_dir="asc")


class ScrubCase(testtools.TestCase):
    options = {"delayed_delete": "true", "scrub_time": HOUR}

    def setUp(self):
        super().setUp()
        self.service = self.useFixture(ApplicationFixture({"DEFAULT": self.options}))
        self.stack, self.stores = self.service.stack, self.service.services.stores
        self.clock = Clock(utcnow())
        self.data = TimedAccess(self.service.services.data, self.clock)
        self.job_type = ScrubJob(self.data, self.stores, None)
        self.worker = self.make_worker()

    def make_worker(self, **settings):
        return make_worker(self.data, self.job_type, clock=self.clock, **settings)

    def call(self, op, caller="member"):
        return self.stack.call(self.service.context(caller), op)

    def store(self):
        """Return a new image with data."""
        image = self.call(images.CreateImage(base=BASE))
        return self.call(data.UploadData(image.id, chunks=iter([b"content"]), size=7))

    def delete(self, image):
        self.assertEqual("pending_delete", self.call(images.DeleteImage(image.id)).status)
        # The time that is left begins now, however long the test has taken so far.
        self.clock.now = max(self.clock.now, utcnow())

    def scrub(self):
        """Run all jobs that are due and return how many there were."""
        runs = 0
        while self.worker.run_one():
            runs += 1
        return runs

    def jobs(self):
        return self.data.run(ListTasks(SCRUBS)).jobs

    def states(self):
        return [job.state for job in self.jobs()]

    def driver(self, image):
        return self.stores.get(image.locations[0].store).driver

    def is_stored(self, image):
        """Tell whether the data of the image is in its store."""
        return image.locations[0].url in self.driver(image).locations()

    def refuse(self, image, error):
        """Let the store of an image raise ``error`` at each deletion, until the returned function is called."""

        def raise_error(*_arguments):
            raise error

        driver = self.driver(image)
        delete, driver.delete = driver.delete, raise_error
        return lambda: setattr(driver, "delete", delete)

    def reap(self):
        services = self.service.services
        return Reaper(self.data, self.stores, services.leases, services.metrics, 60).reap()


class TestDelayedDelete(ScrubCase):
    def test_deleted_image_is_seen_by_nobody_and_its_data_stays(self):
        image = self.store()
        self.delete(image)
        for caller in ("member", "admin"):
            for op in (images.GetImage, images.DeleteImage, data.DownloadData, images.DeactivateImage):
                self.assertRaises(NotFound, self.call, op(image.id), caller)
        self.clock.move(HOUR - 10)
        self.assertEqual((0, 0), (self.scrub(), self.reap()))
        self.assertTrue(self.is_stored(image))

    def test_data_goes_with_its_record_when_its_time_is_over(self):
        image, other = self.store(), self.store()
        self.delete(image)
        self.clock.move(HOUR + 1)
        self.assertEqual(1, self.scrub())
        self.assertEqual([SUCCESS], self.states())
        self.assertFalse(self.is_stored(image))
        self.assertEqual([], list(self.data.run(ListRemovals(image.id))))
        self.assertRaises(NotFound, self.data.run, LoadImage(image.id, of_deleted=True))
        self.assertTrue(self.is_stored(other))

    def test_restored_image_has_its_data_and_stays(self):
        image = self.store()
        self.delete(image)
        self.call(images.RestoreImage(image.id))
        self.clock.move(2 * HOUR)
        self.assertEqual((1, [SUCCESS]), (self.scrub(), self.states()))
        self.assertEqual(b"content", b"".join(self.call(data.DownloadData(image.id)).chunks))

    def test_of_two_jobs_of_an_image_the_older_does_nothing(self):
        image = self.store()
        self.delete(image)
        self.call(images.RestoreImage(image.id))
        self.delete(image)
        self.clock.now = self.jobs()[0].due_at
        self.assertEqual((1, [SUCCESS, PENDING]), (self.scrub(), self.states()))
        self.assertEqual("pending_delete", self.data.run(LoadImage(image.id, of_deleted=True)).status)
        self.assertTrue(self.is_stored(image))
        self.clock.now = self.jobs()[1].due_at
        self.assertEqual((1, [SUCCESS, SUCCESS]), (self.scrub(), self.states()))
        self.assertFalse(self.is_stored(image))

    def test_data_that_a_restored_image_has_lost_is_left_to_others(self):
        image = self.store()
        self.delete(image)
        self.call(images.RestoreImage(image.id))
        self.data.run(MarkDeleted(image.id))
        self.clock.move(HOUR + 1)
        self.assertEqual((1, [SUCCESS]), (self.scrub(), self.states()))
        self.assertTrue(self.is_stored(image))
        self.assertEqual((1, False), (self.reap(), self.is_stored(image)))

    def test_it_goes_on_where_delayed_deletion_was_switched_off(self):
        image = self.store()
        self.delete(image)
        self.service.conf.set_override("delayed_delete", False)
        self.stack = load_stack(self.service.conf, self.service.services)
        other = self.store()
        self.assertEqual("deleted", self.call(images.DeleteImage(other.id)).status)
        self.assertFalse(self.is_stored(other))
        self.clock.move(HOUR + 1)
        self.assertEqual(1, self.scrub())
        self.assertFalse(self.is_stored(image))

    def test_image_without_data_is_deleted_at_once(self):
        image = self.call(images.CreateImage(base=BASE))
        self.assertEqual("deleted", self.call(images.DeleteImage(image.id)).status)
        self.assertEqual((), self.jobs())

    def test_job_is_no_task_and_nobody_waits_for_it(self):
        image = self.store()
        self.delete(image)
        (job,) = self.jobs()
        self.assertEqual((image.id, "p1", -10), (job.image_id, job.project_id, job.priority))
        self.assertRaises(NotFound, self.call, tasks.GetTask(job.id), "admin")
        self.assertEqual((), self.call(ListTasks(), "admin").jobs)
        self.call(images.RestoreImage(image.id))
        self.assertEqual((), self.call(tasks.ListImageTasks(image.id)).jobs)


class TestStoresThatDoNotConfirm(ScrubCase):
    def setUp(self):
        super().setUp()
        self.image = self.store()
        self.delete(self.image)
        self.clock.move(HOUR + 1)

    def test_store_that_fails_is_tried_until_it_has_confirmed(self):
        for error in (RemoteServiceUnavailable(reason="cable cut"), OSError("The disk is away.")):
            mend = self.refuse(self.image, error)
            self.assertEqual((1, [PENDING]), (self.scrub(), self.states()))
            self.assertTrue(self.is_stored(self.image))
            mend()
            self.clock.move(30)
        self.assertEqual((1, [SUCCESS]), (self.scrub(), self.states()))
        self.assertFalse(self.is_stored(self.image))

    def test_data_in_use_stays_until_it_is_free(self):
        mend = self.refuse(self.image, InUseByStore(location="memory://fast/x"))
        self.assertEqual((1, [PENDING]), (self.scrub(), self.states()))
        self.assertIn("in use", self.jobs()[0].message)
        self.clock.move(61)
        self.assertEqual((1, True), (self.reap(), self.is_stored(self.image)))
        mend()
        self.assertEqual((1, [SUCCESS]), (self.scrub(), self.states()))
        self.assertFalse(self.is_stored(self.image))
        self.clock.now += timedelta(days=1)
        self.assertEqual(0, self.reap())

    def test_reaper_goes_on_where_the_job_was_given_up(self):
        self.worker = self.make_worker(max_attempts=1)
        mend = self.refuse(self.image, RemoteServiceUnavailable(reason="cable cut"))
        self.assertEqual((1, [FAILURE]), (self.scrub(), self.states()))
        for _ in range(2):
            self.clock.move(61)
            self.assertEqual((1, True), (self.reap(), self.is_stored(self.image)))
        mend()
        self.clock.move(61)
        self.assertEqual((1, False), (self.reap(), self.is_stored(self.image)))

    def test_store_that_fails_holds_up_no_other(self):
        image = self.store()
        copy = self.stores.get("cheap").write("copy", iter([b"content"])).location
        change = LocationChange("add", locations=(Location(copy, {"store": "cheap"}),))
        self.data.run(UpdateImage(image.id, changes=(change,)))
        self.delete(image)
        self.clock.move(HOUR + 1)
        self.refuse(image, RemoteServiceUnavailable(reason="cable cut"))
        self.scrub()
        self.assertEqual((True, []), (self.is_stored(image), self.stores.get("cheap").driver.locations()))

    def test_data_on_the_disk_of_another_node_is_left_to_that_node(self):
        with self.service.backend.engine.connect() as connection:
            connection.execute(
                insert(deletions).values(
                    image_id=self.image.id,
                    value="file:///s",
                    meta_data="{}",
                    due_at=self.clock(),
                    node_url="http://node2",
                )
            )
            connection.commit()
        self.assertEqual((1, [SUCCESS]), (self.scrub(), self.states()))
        self.assertEqual(["file:///s"], [one.url for one in self.data.run(ListRemovals(self.image.id))])
        self.assertFalse(self.is_stored(self.image))

    def test_worker_that_died_after_the_record_was_deleted_leaves_the_data_to_the_reaper(self):
        self.data.run(DeleteFromTrash(self.image.id))
        self.assertEqual((1, [SUCCESS]), (self.scrub(), self.states()))
        self.assertTrue(self.is_stored(self.image))
        self.clock.move(61)
        self.assertEqual((1, False), (self.reap(), self.is_stored(self.image)))


class TestDefaultTime(ScrubCase):
    options = {"delayed_delete": "true"}

    def test_deleted_image_is_kept_for_seven_days(self):
        image = self.store()
        self.delete(image)
        self.clock.now = utcnow() + timedelta(days=7, seconds=-60)
        self.assertEqual((0, True), (self.scrub(), self.is_stored(image)))
        self.clock.move(120)
        self.assertEqual((1, False), (self.scrub(), self.is_stored(image)))


class TestNoTimeToRestore(ScrubCase):
    options = {"delayed_delete": "true", "scrub_time": 0}

    def test_operator_sets_the_priority(self):
        self.service.conf.set_override("priorities", {"scrub": "3"}, "workers")
        self.stack = load_stack(self.service.conf, self.service.services)
        self.delete(self.store())
        self.assertEqual([3], [job.priority for job in self.jobs()])

    def test_workers_are_woken_for_a_job_that_is_due_at_once(self):
        woken = []
        image = self.store()
        services = replace(self.service.services, wake_workers=lambda: woken.append(self.states()))
        self.stack = load_stack(self.service.conf, services)
        self.delete(image)
        self.assertEqual([[PENDING]], woken)
        self.clock.now = utcnow()
        self.assertEqual(1, self.scrub())
        self.assertFalse(self.is_stored(image))


class TestImmediateDeletion(ScrubCase):
    options: dict[str, str] = {}

    def test_store_that_fails_is_tried_until_it_has_confirmed(self):
        for error in (RemoteServiceUnavailable(reason="cable cut"), OSError("The disk is away.")):
            image = self.store()
            mend = self.refuse(image, error)
            self.assertEqual("deleted", self.call(images.DeleteImage(image.id)).status)
            self.clock.now = utcnow() + timedelta(seconds=61)
            self.assertEqual((1, True), (self.reap(), self.is_stored(image)))
            mend()
            self.clock.move(61)
            self.assertEqual((1, False), (self.reap(), self.is_stored(image)))
            self.assertEqual(0, self.reap())

    def test_data_in_use_brings_the_image_back(self):
        image = self.store()
        mend = self.refuse(image, InUseByStore(location="memory://fast/x"))
        self.assertRaises(Conflict, self.call, images.DeleteImage(image.id))
        self.assertEqual("active", self.call(images.GetImage(image.id)).status)
        self.assertEqual(b"content", b"".join(self.call(data.DownloadData(image.id)).chunks))
        self.clock.now = utcnow() + timedelta(days=1)
        self.assertEqual((0, True), (self.reap(), self.is_stored(image)))
        mend()
        self.call(images.DeleteImage(image.id))
        self.assertFalse(self.is_stored(image))

    def test_staged_data_is_tried_until_it_is_gone(self):
        image = self.call(images.CreateImage(base=BASE))
        self.call(imports.StageData(image.id, chunks=iter([b"content"]), size=7))
        (path,) = Path(self.service.folder, "staging").glob(f"{image.id}*")
        driver = self.stores.get(STAGING_STORE).driver
        delete, driver.delete = driver.delete, self.fail_to_answer
        self.assertEqual("deleted", self.call(images.DeleteImage(image.id)).status)
        self.clock.now = utcnow() + timedelta(seconds=61)
        self.assertEqual((1, True), (self.reap(), path.exists()))
        driver.delete = delete
        self.clock.move(61)
        self.assertEqual((1, False), (self.reap(), path.exists()))

    def fail_to_answer(self, *_arguments):
        raise RemoteServiceUnavailable(reason="cable cut")
