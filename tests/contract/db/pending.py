"""The contract for images that were deleted and can be restored (reference 3.6, 4.8)."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.query import EVERYTHING, ImageQuery
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_SIZE_TOTAL, NO_LIMITS
from glance_mini.domain.transfer import PendingImage
from tests.contract.db.job_samples import SOON, JobContractBase
from tests.contract.db.samples import LATER, MUCH_LATER, NOW, sample, stored


class PendingContract(JobContractBase):
    def test_deleted_image_is_seen_by_nobody_and_counts_for_nothing(self):
        image = self.store()
        marked = self.mark(image)
        self.assertEqual(replace(image, status="pending_delete", updated_at=SOON, deleted_at=SOON), marked)
        self.assertEqual(marked, self.data.get_pending(image.id))
        self.assertRaises(errors.NotFound, self.data.get_image, image.id, EVERYTHING)
        self.assertEqual((), self.data.list_images(ImageQuery(tags=("t",)), EVERYTHING).images)
        self.assertRaises(errors.NotFound, self.mark, image)
        self.assertRaises(errors.Duplicate, self.data.create_image, image, NO_LIMITS)
        self.assertEqual((0, 0), self.counted())

    def test_restored_image_is_as_it_was(self):
        for status in ("active", "deactivated"):
            image = self.store(status=status)
            self.mark(image)
            restored = self.data.restore_pending(image.id, LATER)
            self.assertEqual(replace(image, updated_at=LATER), restored)
            self.assertEqual(restored, self.image(image))
            self.assertEqual((1, 100), self.counted())
            self.data.delete_image(image.id, LATER)

    def test_what_cannot_be_restored_is_not_found(self):
        image = self.store()
        for call in (self.data.restore_pending, self.data.delete_pending):
            for other in (image, sample()):
                self.assertRaises(errors.NotFound, call, other.id, NOW)
        self.assertRaises(errors.NotFound, self.data.get_pending, image.id)

    def test_protected_and_empty_images_are_refused(self):
        self.assertRaises(errors.Forbidden, self.mark, self.store(protected=True))
        self.assertRaises(errors.StatusConflict, self.mark, self.create())

    def test_images_are_due_when_their_time_has_come(self):
        first, second = self.store(), self.store()
        self.mark(second, LATER + timedelta(seconds=1))
        self.mark(first, LATER)
        self.assertEqual([], list(self.data.due_pending(NOW)))
        self.assertEqual([first.id], list(self.data.due_pending(LATER)))
        self.assertEqual([first.id, second.id], list(self.data.due_pending(MUCH_LATER)))

    def test_images_that_can_be_restored_are_listed_by_the_time_that_they_have_left(self):
        self.assertEqual([], list(self.data.list_pending(10)))
        later, sooner = self.store(), self.store()
        self.create()
        self.mark(later, MUCH_LATER)
        self.mark(sooner, LATER)
        found = [
            PendingImage(image.id, image.name, image.owner, image.size, at)
            for image, at in ((sooner, LATER), (later, MUCH_LATER))
        ]
        self.assertEqual(found, list(self.data.list_pending(10)))
        self.assertEqual(found[:1], list(self.data.list_pending(1)))
        self.data.restore_pending(sooner.id, LATER)
        self.assertEqual(found[1:], list(self.data.list_pending(10)))

    def test_image_deleted_for_good_leaves_pending_deletions(self):
        image = self.store()
        self.mark(image)
        deleted = self.data.delete_pending(image.id, LATER)
        self.assertEqual(("deleted", LATER, ()), (deleted.status, deleted.deleted_at, deleted.locations))
        self.assertEqual([one.url for one in image.locations], [one.url for one in self.data.list_deletions(image.id)])
        self.assertEqual([], list(self.data.due_pending(MUCH_LATER)))
        self.assertRaises(errors.NotFound, self.data.restore_pending, image.id, LATER)
        self.assertRaises(errors.NotFound, self.data.get_image, image.id, EVERYTHING)
        self.assertEqual((0, 0), self.counted())

    def test_image_that_can_be_restored_is_not_purged(self):
        image = self.store()
        self.mark(image)
        self.assertEqual(0, self.data.purge(MUCH_LATER, timedelta(days=1), 10))
        self.data.delete_pending(image.id, LATER)
        for pending in self.data.list_deletions(image.id):
            self.data.finish_deletion(pending.id)
        self.assertEqual(1, self.data.purge(MUCH_LATER, timedelta(days=1), 10))

    def test_restoring_and_deleting_at_once_agree(self):
        images = [self.store() for _ in range(8)]
        for image in images:
            self.mark(image)
        calls = [(call, image.id) for image in images for call in (self.data.restore_pending, self.data.delete_pending)]
        results = self.at_once(lambda one: one[0](one[1], LATER), calls)
        self.assertEqual(8, sum(isinstance(one, errors.NotFound) for one in results))

    def store(self, **values):
        return self.data.create_image(stored(tags=("t",), properties={"a": "b"}, **values), NO_LIMITS)

    def mark(self, image, scrub_at=LATER):
        return self.data.mark_pending_delete(image.id, SOON, scrub_at)

    def counted(self):
        return self.used(IMAGE_COUNT_TOTAL), self.used(IMAGE_SIZE_TOTAL)
