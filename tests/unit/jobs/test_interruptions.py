"""Imports whose workers stop, die, or lose their job, and whose images are deleted meanwhile."""

from glance_mini.domain.errors import NotFound
from glance_mini.operations.jobs import CancelJob
from glance_mini.operations.records import ForgetStaged
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.streams import FILE_BLOCK
from tests.unit.jobs.support import DATA, SHA256, Death, Dying, ImportCase, Interrupted

DONE = (None, "", "")


class LateDriver(MemoryDriver):
    """Publishes its first data only after something else has happened."""

    def __init__(self, store_id, happening):
        super().__init__(store_id)
        self._happenings = [happening]

    def write(self, name, chunks, size=None):
        data = list(chunks)
        if self._happenings:
            self._happenings.pop()()
        return super().write(name, data, size)


class TestInterruptions(ImportCase):
    def begun(self, *stores, **values):
        """Return an image that is staged and whose import waits for a worker."""
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id, *stores, **values)
        return image_id

    def interrupt(self, checks, stop):
        """Let a worker run the job up to a check, at which ``stop`` is called with the worker."""
        interrupted = Interrupted(self.job_types["api_image_import"], checks)
        worker = self.worker(api_image_import=interrupted)
        interrupted.stop = lambda: stop(worker)
        worker.run_one()
        self.assertTrue(interrupted.is_interrupted)

    def test_a_job_that_is_handed_back_is_finished_by_the_next_worker(self):
        for checks in range(1, 8):
            image_id = self.begun("fast", "slow", "disk")
            self.interrupt(checks, lambda worker: worker.leases.stop_all())
            self.run_to_the_end()
            image = self.image(image_id)
            self.assertEqual(("active", SHA256), (image.status, image.os_hash_value))
            self.assertEqual([DATA] * 3, [self.data_of(image, store) for store in ("fast", "slow", "disk")])
            self.assertEqual({"fast": 1, "slow": 1, "disk": 1}, self.kept())
            self.call_delete(image_id)

    def test_a_worker_that_lost_its_job_to_another_leaves_nothing_behind(self):
        for checks in range(1, 8):
            image_id = self.begun("fast", "slow", "disk")

            def take_over(worker):
                self.clock.move(100)
                self.run_jobs()

            self.interrupt(checks, take_over)
            image = self.image(image_id)
            self.assertEqual(("active", "success"), (image.status, self.task(image_id).state))
            self.assertEqual([DATA] * 3, [self.data_of(image, store) for store in ("fast", "slow", "disk")])
            self.assertEqual({"fast": 1, "slow": 1, "disk": 1}, self.kept())
            self.call_delete(image_id)

    def test_a_store_that_is_late_keeps_nothing_of_a_job_that_was_lost_meanwhile(self):
        def take_over():
            self.clock.move(100)
            self.run_jobs()

        self.stores.get("fast").driver = LateDriver("fast", take_over)
        image_id = self.begun("fast", "cheap")
        self.worker().run_one()
        self.assertEqual("active", self.image(image_id).status)
        self.assertEqual({"fast": 1, "cheap": 1}, self.kept())

    def test_a_job_whose_end_was_not_written_down_ends_once_more(self):
        image_id = self.begun("fast", "disk", all_stores_must_succeed=False)
        self.assertRaises(Death, self.worker(api_image_import=Dying(self.job_types["api_image_import"])).run_one)
        self.run_to_the_end()
        self.assertEqual(("active", DONE), ((image := self.image(image_id)).status, self.progress(image)))
        self.assertEqual("success", self.task(image_id).state)
        self.assertEqual({"fast": 1, "disk": 1}, self.kept())

    def test_files_of_a_worker_that_was_killed_after_its_last_record_are_removed(self):
        image_id = self.begun("fast")
        self.assertRaises(Death, self.worker(api_image_import=Dying(self.job_types["api_image_import"])).run_one)
        left = self.folder / "work" / self.task(image_id).id / "1"
        left.mkdir(parents=True)
        (left / "source").write_bytes(DATA)
        self.run_to_the_end()
        self.assertEqual(("success", {"fast": 1}), (self.task(image_id).state, self.kept()))
        self.assertFalse(left.parent.exists())

    def test_a_failure_that_was_not_written_down_leaves_the_next_import_alone(self):
        image_id = self.begun("fast", expected_hashes={"md5": "ab" * 16})
        self.assertRaises(Death, self.worker(api_image_import=Dying(self.job_types["api_image_import"])).run_one)
        self.assertEqual(("queued", {}), (self.image(image_id).status, self.kept()))
        self.stage(image_id)
        self.run_to_the_end()
        self.assertEqual(("failure", "The import was undone."), ((task := self.task(image_id)).state, task.message))
        self.assertEqual(("uploading", {"staging": 1}), (self.image(image_id).status, self.kept()))
        self.assertEqual("active", self.run_import(image_id).status)

    def test_an_image_that_is_active_already_does_not_need_its_source_any_more(self):
        image_id = self.begun("fast", "cheap", all_stores_must_succeed=False)
        blocks = -(-len(DATA) // FILE_BLOCK)
        dying = Interrupted(self.job_types["api_image_import"], checks=blocks + 2, error=Death)
        self.assertRaises(Death, self.worker(api_image_import=dying).run_one)
        self.assertEqual("active", self.image(image_id).status)
        self.services.data.run(ForgetStaged(image_id))
        self.run_to_the_end()
        self.assertEqual((None, "", "cheap"), self.progress(self.image(image_id)))
        self.assertEqual(("success", 1), (self.task(image_id).state, self.kept()["fast"]))

    def test_a_worker_that_dies_leaves_a_job_that_another_one_finishes(self):
        for checks in range(1, 8):
            image_id = self.begun("fast", "slow", "disk")
            dying = Interrupted(self.job_types["api_image_import"], checks, error=Death)
            self.assertRaises(Death, self.worker(api_image_import=dying).run_one)
            self.run_to_the_end()
            image = self.image(image_id)
            self.assertEqual(("active", SHA256), (image.status, image.os_hash_value))
            self.assertEqual({"fast": 1, "slow": 1, "disk": 1}, self.kept())
            self.call_delete(image_id)

    def test_an_image_that_is_deleted_meanwhile_takes_everything_with_it(self):
        for checks in range(1, 8):
            image_id = self.begun("fast", "slow", "disk")
            self.interrupt(checks, lambda worker, image_id=image_id: self.call_delete(image_id))
            self.run_to_the_end()
            self.assertRaises(NotFound, self.image, image_id)
            self.assertEqual({}, self.kept())

    def test_an_import_that_is_cancelled_leaves_a_queued_image(self):
        for checks in range(1, 8):
            image_id = self.begun("fast", "slow", "disk")

            def cancel(worker, image_id=image_id):
                self.data.run(CancelJob(self.task(image_id).id))
                worker.leases.renew()

            self.interrupt(checks, cancel)
            image = self.image(image_id)
            self.assertEqual(("queued", ()), (image.status, image.locations))
            self.assertEqual("failure", self.task(image_id).state)
            self.remove_pending()
            self.assertEqual({}, self.kept())
            self.call_delete(image_id)
