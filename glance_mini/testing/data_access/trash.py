"""The contract for images that were deleted and can be restored."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

from glance_mini.domain import errors
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image
from glance_mini.domain.job import JobQuery
from glance_mini.domain.query import EVERYTHING, ImageQuery, Scope
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL, NO_LIMITS, Limits
from glance_mini.domain.transfer import DeletedImage
from glance_mini.operations.images import ListImages, RestoreImage
from glance_mini.operations.jobs import FinishJob
from glance_mini.operations.records import (
    DeleteFromTrash,
    FinishRemoval,
    ListRemovals,
    ListTrash,
    LoadImage,
    MarkDeleted,
    MoveToTrash,
    PurgeImages,
)
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.data_access.job_samples import SOON, JobContractBase, job
from glance_mini.testing.data_access.samples import LATER, MINE, MUCH_LATER, NOBODY, NOW, THEIRS, sample, stored

DELETED = ImageQuery(one_of={"status": ("pending_delete",)})


class TrashContract(JobContractBase):
    def test_deleted_image_is_seen_by_nobody_and_only_its_bytes_count(self) -> None:
        image = self.store()
        marked = self.mark(image)
        self.assertEqual(replace(image, status="pending_delete", updated_at=SOON, deleted_at=SOON), marked)
        self.assertEqual(marked, self.data.run(LoadImage(image.id, EVERYTHING, of_deleted=True)))
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))
        self.assertEqual((), self.data.run(ListImages(ImageQuery(tags=("t",)), EVERYTHING)).images)
        self.assertRaises(errors.NotFound, self.mark, image)
        self.assertRaises(errors.Duplicate, self.insert, image)
        self.assertEqual((0, 0), self.counted())
        self.assertEqual(100, self.used(IMAGE_SIZE_DELETED))
        self.finish(image)
        self.assertEqual(0, self.used(IMAGE_SIZE_DELETED))

    def test_restored_image_is_as_it_was(self) -> None:
        for status in ("active", "deactivated"):
            image = self.store(status=status)
            self.mark(image)
            restored = self.data.run(RestoreImage(image.id), LATER)
            self.assertEqual(replace(image, updated_at=LATER), restored)
            self.assertEqual(restored, self.image(image))
            self.assertEqual((1, 100), self.counted())
            self.data.run(MarkDeleted(image.id), LATER)

    def test_what_cannot_be_restored_is_not_found(self) -> None:
        image = self.store()
        self.assertRaises(errors.StatusConflict, self.restore, image)
        self.assertRaises(errors.NotFound, self.restore, sample())
        for other in (image, sample()):
            self.assertRaises(errors.NotFound, self.data.run, DeleteFromTrash(other.id), NOW)
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(sample().id, of_deleted=True))

    def test_image_is_restored_by_its_project_and_by_administrators_only(self) -> None:
        image = self.store(visibility="public")
        marked = self.mark(image)
        for scope in (MINE, EVERYTHING):
            self.assertEqual(marked, self.data.run(LoadImage(image.id, scope, of_deleted=True)))
        for scope in (THEIRS, NOBODY):
            self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id, scope, of_deleted=True))

    def test_image_for_which_there_is_no_room_any_more_stays_deleted(self) -> None:
        image = self.store()
        self.mark(image)
        self.store()
        for limits in ({IMAGE_COUNT_TOTAL: 1}, {IMAGE_SIZE_TOTAL: 199}):
            self.assertRaises(errors.LimitExceeded, self.restore, image, limits=Limits(project=limits))
            self.assertEqual("pending_delete", self.data.run(LoadImage(image.id, MINE, of_deleted=True)).status)
        self.assertEqual((1, 100), self.counted())
        self.restore(image, limits=Limits(project={IMAGE_COUNT_TOTAL: 2, IMAGE_SIZE_TOTAL: 200}))
        self.assertEqual((2, 200), self.counted())

    def test_job_comes_with_the_deletion(self) -> None:
        image, protected = self.store(), self.store(protected=True)
        self.mark(image)
        self.assertRaises(errors.Forbidden, self.mark, protected)
        (found,) = self.data.run(ListTasks(JobQuery(kinds=("scrub",)))).jobs
        self.assertEqual((image.id, LATER), (found.image_id, found.due_at))
        self.assertIsNone(self.try_claim(now=SOON, kinds=("scrub",)))
        self.assertEqual(found.id, self.claim(now=LATER, kinds=("scrub",)).id)

    def test_protected_and_empty_images_are_refused(self) -> None:
        self.assertRaises(errors.Forbidden, self.mark, self.store(protected=True))
        self.assertRaises(errors.StatusConflict, self.mark, self.create())

    def test_image_is_deleted_for_good_when_its_time_has_come(self) -> None:
        image = self.store()
        self.mark(image, LATER)
        early = LATER - timedelta(microseconds=1)
        self.assertRaises(errors.NotFound, self.data.run, DeleteFromTrash(image.id, only_due=True), early)
        self.assertEqual("pending_delete", self.data.run(LoadImage(image.id, MINE, of_deleted=True)).status)
        self.assertEqual("deleted", self.data.run(DeleteFromTrash(image.id, only_due=True), LATER).status)

    def test_images_that_can_be_restored_are_listed_by_the_time_that_they_have_left(self) -> None:
        self.assertEqual([], list(self.data.run(ListTrash(10))))
        later, sooner = self.store(), self.store()
        self.create()
        self.mark(later, MUCH_LATER)
        self.mark(sooner, LATER)
        found = [
            DeletedImage(image.id, image.name, image.owner, image.size, at)
            for image, at in ((sooner, LATER), (later, MUCH_LATER))
        ]
        self.assertEqual(found, list(self.data.run(ListTrash(10))))
        self.assertEqual(found[:1], list(self.data.run(ListTrash(1))))
        self.restore(sooner)
        self.assertEqual(found[1:], list(self.data.run(ListTrash(10))))

    def test_list_of_deleted_images_shows_those_that_the_caller_may_restore(self) -> None:
        mine, theirs, nobodys = (self.store(owner=owner, visibility="public") for owner in ("mine", "theirs", None))
        for image in (mine, theirs, nobodys):
            self.mark(image)
        self.restore(self.marked())
        self.finish(self.marked())
        everybody = {mine.id, theirs.id, nobodys.id}
        for scope, expected in ((MINE, {mine.id}), (THEIRS, {theirs.id}), (NOBODY, set()), (EVERYTHING, everybody)):
            self.assertEqual(expected, set(self.listed(scope)))
        self.assertEqual([theirs.id], self.listed(EVERYTHING, one_of={**DELETED.one_of, "owner": ("theirs",)}))
        self.assertEqual([], self.listed(MINE, one_of={**DELETED.one_of, "owner": ("theirs",)}))
        self.assertEqual([], self.listed(MINE, visibility="private"))
        for query in ({"visibility": "all"}, {"tags": ("t",)}, {"properties": {"a": "b"}}):
            self.assertEqual({mine.id}, set(self.listed(MINE, **query)))
        self.assertEqual([], self.listed(MINE, tags=("u",)))

    def test_other_lists_do_not_show_deleted_images(self) -> None:
        image = self.marked()
        for status in (("active", "pending_delete"), ("deleted",)):
            self.assertEqual([], self.listed(MINE, one_of={"status": status}))
        query = ImageQuery(marker=image.id)
        self.assertRaises(errors.Invalid, self.data.run, ListImages(query, MINE))

    def test_list_of_deleted_images_is_sorted_and_paged(self) -> None:
        images = [self.marked(name=f"n{number}") for number in (2, 0, 1)]
        names = {image.id: image.name for image in images}
        for direction, expected in (("asc", ["n0", "n1", "n2"]), ("desc", ["n2", "n1", "n0"])):
            query = {"sort": (("name", direction), ("created_at", direction), ("id", direction)), "limit": 1}
            found = self.listed(MINE, **query)
            while len(found) < 3:
                found += self.listed(MINE, marker=found[-1], **query)
            self.assertEqual(expected, [names[image_id] for image_id in found])
            self.assertEqual([], self.listed(MINE, marker=found[-1], **query))
        for marker, scope in ((self.store().id, MINE), (images[0].id, THEIRS)):
            self.assertRaises(errors.Invalid, self.listed, scope, marker=marker)

    def test_list_of_deleted_images_says_until_when_they_can_be_restored(self) -> None:
        image = self.marked(LATER)
        (found,) = self.data.run(ListImages(DELETED, MINE)).images
        until = {"os_glance_scrub_at": "2026-05-04T04:02:01Z"}
        self.assertEqual(replace(image, properties={"a": "b", **until}), found)
        self.assertEqual({"a": "b"}, self.restore(image).properties)

    def test_import_that_ended_while_the_image_was_deleted_holds_it_no_longer(self) -> None:
        image = self.store()
        held = self.start_import(image)
        self.mark(image)
        self.assertEqual(held.id, self.restore(image).properties["os_glance_import_task"])
        self.mark(image)
        self.data.run(FinishJob(held, "failure", None, "The image is gone.", MUCH_LATER - LATER), LATER)
        restored = self.restore(image)
        progress = {"os_glance_importing_to_stores": "", "os_glance_failed_import": "fast,cheap"}
        self.assertEqual(("active", {"a": "b", **progress}), (restored.status, restored.properties))
        self.assertEqual(restored, self.image(image))
        self.assertEqual((1, 100), self.counted())

    def test_image_deleted_for_good_leaves_pending_deletions(self) -> None:
        image = self.store()
        self.mark(image)
        deleted = self.data.run(DeleteFromTrash(image.id), LATER)
        self.assertEqual(("deleted", LATER, ()), (deleted.status, deleted.deleted_at, deleted.locations))
        pending = self.data.run(ListRemovals(image.id))
        self.assertEqual([one.url for one in image.locations], [one.url for one in pending])
        self.assertRaises(errors.NotFound, self.data.run, DeleteFromTrash(image.id), MUCH_LATER)
        self.assertRaises(errors.NotFound, self.restore, image)
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))
        self.assertEqual((0, 0), self.counted())

    def test_image_that_can_be_restored_is_not_purged(self) -> None:
        image = self.store()
        self.mark(image)
        self.assertEqual(0, self.data.run(PurgeImages(timedelta(days=1), 10), MUCH_LATER))
        self.data.run(DeleteFromTrash(image.id), LATER)
        for pending in self.data.run(ListRemovals(image.id)):
            self.data.run(FinishRemoval(pending.id))
        self.assertEqual(1, self.data.run(PurgeImages(timedelta(days=1), 10), MUCH_LATER))

    def test_restoring_and_deleting_at_once_agree(self) -> None:
        images = [self.store() for _ in range(8)]
        for image in images:
            self.mark(image)
        calls = list(itertools.product((self.restore, self.finish), images))
        results = self.at_once(lambda one: one[0](one[1]), calls)
        refused = (errors.NotFound, errors.StatusConflict)
        self.assertEqual(8, sum(isinstance(one, refused) for one in results))

    def test_image_is_restored_once(self) -> None:
        images = [self.store() for _ in range(4)]
        for image in images:
            self.mark(image)
        results = self.at_once(self.restore, 2 * images)
        self.assertEqual(4, sum(isinstance(one, errors.StatusConflict) for one in results))
        self.assertEqual((4, 400), self.counted())

    def store(self, **values: object) -> Image:
        """Create an active image and return it."""
        return self.insert(stored(tags=("t",), properties={"a": "b"}, **values))

    def mark(self, image: Image, scrub_at: datetime = LATER) -> Image:
        """Delete an image so that it can be restored until ``scrub_at`` and return it."""
        scrub = job(kind="scrub", image_id=image.id, token=None)
        return self.data.run(MoveToTrash(image.id, scrub_at - SOON, scrub), SOON)

    def marked(self, scrub_at: datetime = LATER, **values: object) -> Image:
        """Create an image that was deleted and return it."""
        return self.mark(self.store(**values), scrub_at)

    def listed(self, scope: Scope, **values: object) -> list[str]:
        """Return the ids of the deleted images that a list shows."""
        query = with_fields(DELETED, **values)
        return [image.id for image in self.data.run(ListImages(query, scope)).images]

    def restore(self, image: Image, limits: Limits = NO_LIMITS) -> Image:
        """Undo the deletion and return the image."""
        return self.data.run(RestoreImage(image.id, limits=limits), LATER)

    def finish(self, image: Image) -> Image:
        """Delete the image for good and return it."""
        return self.data.run(DeleteFromTrash(image.id), LATER)

    def counted(self) -> tuple[int, int]:
        """Return how many images the project has and how many bytes."""
        return self.used(IMAGE_COUNT_TOTAL), self.used(IMAGE_SIZE_TOTAL)
