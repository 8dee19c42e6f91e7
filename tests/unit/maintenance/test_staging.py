"""Staged data goes when its import has ended, however that was."""

from glance_mini.domain.staging import STAGING_STORE
from glance_mini.operations.records import GetStaged
from glance_mini_store import errors
from tests.unit.jobs.support import Death, ImportCase


class Deadly:
    """A staging area in which the worker dies."""

    def drop(self, image_id):
        raise Death


class TestStagedData(ImportCase):
    def test_what_cannot_be_removed_at_the_end_is_removed_later(self):
        store = self.stores.get(STAGING_STORE)
        image_id = self.staged()
        working, store.driver = store.driver, Stuck(store.driver)
        self.run_to_the_end()
        self.assertEqual(("active", {"disk": 1, "staging": 1}), (self.image(image_id).status, self.kept()))
        self.assertIsNone(self.services.data.run(GetStaged(image_id)))
        store.driver = working
        self.remove_pending()
        self.assertEqual({"disk": 1}, self.kept())

    def test_what_a_dead_worker_has_left_goes_with_an_image_that_was_deleted_since(self):
        image_id = self.staged()
        job_type = self.import_job(None)
        job_type._staging = Deadly()
        self.assertRaises(Death, self.worker(api_image_import=job_type).run_one)
        self.assertEqual("active", self.image(image_id).status)
        self.call_delete(image_id)
        self.run_to_the_end()
        self.remove_pending()
        self.assertEqual({}, self.kept())
        self.assertIsNone(self.services.data.run(GetStaged(image_id)))

    def staged(self):
        """Return the id of an image whose data is staged and whose import was asked for."""
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id)
        return image_id


class Stuck:
    """A driver that deletes nothing now."""

    def __init__(self, driver):
        self._driver = driver

    def __getattr__(self, name):
        return getattr(self._driver, name)

    def delete(self, location):
        raise errors.RemoteServiceUnavailable(reason="the disk is read-only")
