"""What imports leave in stores that do not answer is removed when these answer again."""

from glance_mini_store import errors
from glance_mini_store.drivers.memory import MemoryDriver
from tests.unit.jobs.support import ImportCase


class DeadDriver(MemoryDriver):
    """A store that dies at the end of a write, with all data in it; ``is_dead`` until it is mended."""

    def __init__(self, store_id):
        super().__init__(store_id)
        self.is_dead = True

    def write(self, name, chunks, size=None):
        written = super().write(name, chunks, size)
        self._live()
        return written

    def delete(self, location):
        self._live()
        super().delete(location)

    def discard(self, name):
        self._live()
        super().discard(name)

    def _live(self):
        if self.is_dead:
            raise errors.RemoteServiceUnavailable(reason="nobody answers")


class RemainsTest(ImportCase):
    def let_die(self, name):
        """Give a store such a driver, and return it."""
        self.stores.get(name).driver = dead = DeadDriver(name)
        return dead

    def is_removed_when_it_is_back(self, dead):
        self.remove_pending()
        self.assertEqual(1, len(dead.names()))
        dead.is_dead = False
        self.remove_pending()
        self.assertEqual([], dead.names())

    def test_a_store_that_may_fail_is_cleaned_later(self):
        dead = self.let_die("cheap")
        image = self.staged_import("fast", "cheap", all_stores_must_succeed=False)
        self.assertEqual(("active", ["fast"]), (image.status, [each.store for each in image.locations]))
        self.is_removed_when_it_is_back(dead)
        self.assertEqual("active", self.image(image.id).status)
        self.assertEqual(1, self.kept()["fast"])

    def test_a_store_that_must_not_fail_is_cleaned_later(self):
        dead = self.let_die("cheap")
        image = self.staged_import("fast", "cheap")
        self.assertEqual("queued", image.status)
        self.remove_pending()
        self.assertNotEqual([], dead.names())
        dead.is_dead = False
        self.remove_pending()
        self.assertEqual({}, self.kept())

    def test_remains_of_a_deleted_image_are_removed_too(self):
        dead = self.let_die("cheap")
        image = self.staged_import("fast", "cheap", all_stores_must_succeed=False)
        self.call_delete(image.id)
        self.is_removed_when_it_is_back(dead)

    def test_an_upload_in_progress_is_not_disturbed(self):
        dead = self.let_die("cheap")
        image = self.staged_import("fast", "cheap")
        self.stage(image.id)
        dead.is_dead = False
        self.remove_pending()
        self.assertEqual(("uploading", []), (self.image(image.id).status, dead.names()))
