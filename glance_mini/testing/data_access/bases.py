"""The contract for incremental images: their links, and what links forbid."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.bases import BASE_PROPERTY, Delta, NewLink, described
from glance_mini.domain.blocks import KnownHashes
from glance_mini.domain.changes import LocationChange, PropertyChange
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import Job
from glance_mini.domain.quota import IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL, Limits
from glance_mini.domain.transfer import StoredData
from glance_mini.operations.bases import (
    GetDiskIndex,
    ListDependents,
    LoadChain,
    RecordDiskHashes,
    ReplaceData,
    SaveDiskIndex,
)
from glance_mini.operations.blocks import BeginBlockHashes, GetBlockHashes, SaveBlockHashes
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.jobs import CancelJob, FinishJob, GetJob
from glance_mini.operations.members import AddMember, DeleteMember
from glance_mini.operations.records import (
    BeginImport,
    DeleteFromTrash,
    ListRemovals,
    MarkDeleted,
    MoveToTrash,
    RecordData,
    SetStatus,
    UndoDeletion,
)
from glance_mini.testing.data_access.job_samples import SOON, JobContractBase, job
from glance_mini.testing.data_access.samples import LATER, MINE, NOW, THEIRS, sample, stored

LINK = NewLink(max_depth=3, cluster_size=65536, index=b"\x00index")
BIG = 10_000
"""Bytes of the complete disk of a delta of 700."""


def delta_to(base: Image, name: str = "delta", size: int = 700, link: NewLink = LINK) -> StoredData:
    """Return what the upload of a delta to ``base`` leaves."""
    about = described(Delta(base.id, size, "c" * 32, "sha512", "d" * 128))
    place = Location(f"file:///images/{name}", {"store": "file", **about})
    return StoredData(place, BIG, 2 * BIG, None, None, None, link=link)


class BaseContract(JobContractBase):
    def test_delta_is_linked_to_its_base(self) -> None:
        base = self.whole()
        image = self.based_on(base, properties={BASE_PROPERTY: base.id, "a": "b"})
        self.assertEqual(
            ("active", base.id, BIG, 2 * BIG, None),
            (image.status, image.base, image.size, image.virtual_size, image.checksum),
        )
        self.assertEqual({BASE_PROPERTY: base.id, "a": "b"}, image.properties)
        self.assertEqual(image, self.image(image))
        self.assertEqual((image, base), self.data.run(LoadChain(image.id)))
        self.assertEqual((base,), self.data.run(LoadChain(base.id)))
        self.assertEqual([b"\x00index", b""], [self.data.run(GetDiskIndex(one.id)) for one in (image, base)])
        self.assertEqual((image.id,), self.data.run(ListDependents(base.id, 10)))
        self.assertEqual((), self.data.run(ListDependents(image.id, 10)))

    def test_dependents_come_in_pages(self) -> None:
        base = self.whole()
        ids = sorted(self.based_on(base).id for _ in range(3))
        pages = [self.data.run(ListDependents(base.id, 2, after)) for after in ("", ids[1], ids[2])]
        self.assertEqual([tuple(ids[:2]), (ids[2],), ()], pages)

    def test_jobs_come_with_the_data(self) -> None:
        base = self.whole()
        image = self.create(disk_format="qcow2")
        begun, later = self.begin(image), job(kind="disk_hashes", image_id=image.id)
        self.data.run(RecordData(begun, delta_to(base), (later,)), SOON)
        self.assertEqual("pending", self.data.run(GetJob(later.id)).state)

    def test_whole_data_loses_the_name_of_a_base_and_keeps_it_until_then(self) -> None:
        base = self.whole()
        image = self.create(properties={BASE_PROPERTY: base.id, "a": "b"})
        self.assertIn(BASE_PROPERTY, self.image(image).properties)
        begun = self.begin(image)
        self.assertEqual({"a": "b"}, self.data.run(RecordData(begun, self.whole_data()), SOON).properties)
        located = self.create(properties={BASE_PROPERTY: base.id})
        added = LocationChange("add", locations=(Location("http://example.com/x"),), size=1)
        self.assertEqual({}, self.change(located, added).properties)

    def test_property_of_an_image_with_data_only_shows_the_link(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        for action in ("add", "replace", "remove"):
            change = PropertyChange(action, BASE_PROPERTY, base.id)
            self.assertRaises(errors.Forbidden, self.change, image, change)
        self.assertRaises(errors.Forbidden, self.change, image, PropertyChange("move", "x", source=BASE_PROPERTY))
        self.assertRaises(errors.Forbidden, self.change, base, PropertyChange("add", BASE_PROPERTY, image.id))
        place = LocationChange("add", locations=(Location("http://example.com/x"),), size=BIG)
        self.assertRaises(errors.Conflict, self.change, image, place)

    def test_only_an_active_image_can_be_a_base(self) -> None:
        for status in ("deactivated", "queued"):
            base = self.whole(status=status)
            self.assert_refused(errors.Conflict, base)
        gone = self.whole()
        self.data.run(MarkDeleted(gone.id), SOON)
        self.assert_refused(errors.Conflict, gone)
        self.assert_refused(errors.Conflict, sample())

    def test_number_of_bases_is_bounded(self) -> None:
        image = self.whole()
        for _ in range(3):
            image = self.based_on(image)
        self.assertEqual(4, len(self.data.run(LoadChain(image.id))))
        refused = self.assert_refused(errors.LimitExceeded, image)
        self.assertEqual((3, 4), (refused.values["limit"], refused.values["wanted"]))

    def test_what_a_caller_cannot_see_is_no_chain(self) -> None:
        base = self.whole(owner="theirs", visibility="public")
        image = self.based_on(base, owner="mine")
        self.assertEqual(2, len(self.data.run(LoadChain(image.id, MINE))))
        self.assertRaises(errors.NotFound, self.data.run, LoadChain(image.id, THEIRS))
        private = self.whole(visibility="private")
        own = self.based_on(private)
        self.assertEqual(2, len(self.data.run(LoadChain(own.id, MINE))))

    def test_quota_counts_what_is_stored(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        self.assertEqual(800, self.used(IMAGE_SIZE_TOTAL))
        self.data.run(MoveToTrash(image.id, LATER - SOON, job(kind="scrub", image_id=image.id)), SOON)
        self.assertEqual((100, 700), (self.used(IMAGE_SIZE_TOTAL), self.used(IMAGE_SIZE_DELETED)))
        self.data.run(RestoreImage(image.id), LATER)
        self.data.run(MarkDeleted(image.id), LATER)
        self.assertEqual((100, 0), (self.used(IMAGE_SIZE_TOTAL), self.used(IMAGE_SIZE_DELETED)))

    # what links forbid

    def test_base_is_not_deleted_before_its_dependents(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        scrub = job(kind="scrub", image_id=base.id)
        for call in (MarkDeleted(base.id), MoveToTrash(base.id, LATER - SOON, scrub)):
            refused = self.assertRaises(errors.ChainConflict, self.data.run, call, SOON)
            self.assertEqual([image.id], list(refused.values["dependents"]))
            self.assertNotIn(image.id, str(refused))
        self.data.run(MarkDeleted(image.id), SOON)
        self.data.run(MarkDeleted(base.id), SOON)

    def test_image_in_the_trash_holds_its_base(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        self.data.run(MoveToTrash(image.id, LATER - SOON, job(kind="scrub", image_id=image.id)), SOON)
        self.assertRaises(errors.ChainConflict, self.data.run, MarkDeleted(base.id), SOON)
        self.data.run(DeleteFromTrash(image.id), LATER)
        self.data.run(MarkDeleted(base.id), LATER)

    def test_undone_deletion_has_its_link_again(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        self.data.run(MarkDeleted(image.id), SOON)
        restored = self.data.run(UndoDeletion(image), SOON)
        self.assertEqual(base.id, restored.base)
        self.assertRaises(errors.ChainConflict, self.data.run, MarkDeleted(base.id), SOON)
        self.data.run(MarkDeleted(image.id), SOON)
        self.data.run(MarkDeleted(base.id), SOON)
        self.assertRaises(errors.NotFound, self.data.run, UndoDeletion(image), SOON)

    def test_base_of_active_images_is_deactivated_by_force_only(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        wish = SetStatus(base.id, "deactivated", frozenset({"active"}), spares_bases=True)
        self.assertRaises(errors.ChainConflict, self.data.run, wish, SOON)
        self.data.run(SetStatus(image.id, "deactivated", frozenset({"active"})), SOON)
        self.assertEqual("deactivated", self.data.run(wish, SOON).status)
        self.assertEqual("active", self.data.run(SetStatus(base.id, "active", frozenset({"deactivated"})), SOON).status)
        self.data.run(SetStatus(image.id, "active", frozenset({"deactivated"})), SOON)
        self.assertEqual("deactivated", self.data.run(replace(wish, spares_bases=False), SOON).status)
        self.assertEqual("active", self.image(image).status)

    def test_nobody_reads_an_image_who_cannot_read_its_base(self) -> None:
        """Each pair of audiences, by its owner, visibility and members: of the base, and of the image."""
        narrow = ("mine", "private", ()), ("mine", "shared", ())
        shared = ("mine", "shared", ("a", "b"))
        wide = ("mine", "public", ()), ("theirs", "community", ()), (None, "shared", ())
        for base, image, is_allowed in (
            *((one, other, True) for one in wide for other in (*narrow, shared, *wide)),
            *((one, other, False) for one in narrow for other in (shared, *wide)),
            *((one, other, True) for one in narrow for other in narrow),
            (shared, ("mine", "shared", ("a",)), True),
            (shared, ("mine", "shared", ("a", "c")), False),
            (shared, ("a", "private", ()), True),
            (shared, ("a", "shared", ("b", "mine")), True),
            (shared, ("c", "private", ()), False),
            (("mine", "private", ("a",)), ("a", "private", ()), False),
        ):
            with self.subTest(base=base, image=image):
                self.check_audience(base, image, is_allowed)

    def test_audience_grows_only_as_far_as_that_of_the_base(self) -> None:
        base = self.whole(visibility="shared")
        image = self.based_on(base, visibility="shared")
        for value in ("public", "community"):
            self.assertRaises(errors.ChainConflict, self.change, image, PropertyChange("replace", "visibility", value))
        self.assertRaises(errors.ChainConflict, self.change, image, PropertyChange("replace", "owner", "theirs"))
        self.assertRaises(errors.ChainConflict, self.data.run, AddMember(image.id, image, "theirs"), SOON)
        self.data.run(AddMember(base.id, base, "theirs"), SOON)
        self.data.run(AddMember(image.id, image, "theirs"), SOON)
        self.change(base, PropertyChange("replace", "visibility", "public"))
        self.change(image, PropertyChange("replace", "visibility", "community"))

    def test_audience_of_a_base_shrinks_only_as_far_as_that_of_its_dependents(self) -> None:
        base = self.whole(visibility="public")
        image = self.based_on(base, visibility="public")
        for value in ("private", "shared"):
            refused = self.assertRaises(
                errors.ChainConflict, self.change, base, PropertyChange("replace", "visibility", value)
            )
            self.assertEqual([image.id], list(refused.values["dependents"]))
        self.change(image, PropertyChange("replace", "visibility", "private"))
        self.change(base, PropertyChange("replace", "visibility", "shared"))
        self.assertRaises(errors.ChainConflict, self.change, base, PropertyChange("replace", "owner", "theirs"))
        self.data.run(AddMember(base.id, base, "theirs"), SOON)
        self.change(image, PropertyChange("replace", "owner", "theirs"))
        self.assertRaises(errors.ChainConflict, self.data.run, DeleteMember(base.id, base, "theirs"), SOON)
        self.assertRaises(errors.ChainConflict, self.change, base, PropertyChange("replace", "visibility", "private"))
        self.data.run(MarkDeleted(image.id), SOON)
        self.data.run(DeleteMember(base.id, base, "theirs"), SOON)

    def test_linking_and_deleting_at_once_agree(self) -> None:
        bases = [self.whole() for _ in range(4)]
        begun = [(self.begin(self.create(disk_format="qcow2")), base) for base in bases]
        calls = [RecordData(each, delta_to(base, each.id)) for each, base in begun]
        both = [call for pair in zip(calls, (MarkDeleted(base.id) for base in bases), strict=True) for call in pair]
        results = self.at_once(lambda call: self.data.run(call, SOON), both)
        for linked, deleted in zip(results[::2], results[1::2], strict=True):
            self.assertEqual(1, sum(isinstance(one, errors.Conflict) for one in (linked, deleted)))

    # hashes and other data

    def test_hashes_are_recorded_while_the_data_is_the_same(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        call = RecordDiskHashes(image.id, image.locations[0].url, BIG, "a" * 32, "sha512", "b" * 128)
        for other in (replace(call, url="file:///other"), replace(call, size=1), replace(call, image_id=base.id)):
            self.assertFalse(self.data.run(other, SOON))
        self.assertTrue(self.data.run(call, SOON))
        now = self.image(image)
        self.assertEqual(("a" * 32, "sha512", "b" * 128), (now.checksum, now.os_hash_algo, now.os_hash_value))
        self.assertFalse(self.data.run(replace(call, image_id=sample().id), SOON))

    def test_other_data_takes_the_place_of_a_delta(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        held = self.locked_by_job(image)
        data = replace(self.whole_data("flat"), size=BIG)
        after = self.data.run(ReplaceData(held, data), SOON)
        self.assertEqual((None, {}, BIG, "active"), (after.base, after.properties, after.size, after.status))
        self.assertEqual([data.location.url], [each.url for each in after.locations])
        self.assertEqual([image.locations[0].url], [each.url for each in self.data.run(ListRemovals(image.id))])
        self.assertEqual(100 + BIG, self.used(IMAGE_SIZE_TOTAL))
        self.assertEqual(after, self.data.run(ReplaceData(held, data), SOON))
        self.assertEqual(b"", self.data.run(GetDiskIndex(image.id)))
        self.data.run(MarkDeleted(base.id), SOON)

    def test_image_moves_to_another_base(self) -> None:
        old, new = self.whole(), self.whole()
        image = self.based_on(old)
        held = self.locked_by_job(image)
        later = job(kind="disk_hashes", image_id=image.id)
        after = self.data.run(ReplaceData(held, delta_to(new, "moved"), jobs=(later,)), SOON)
        self.assertEqual((new.id, {BASE_PROPERTY: new.id}), (after.base, after.properties))
        self.assertEqual("pending", self.data.run(GetJob(later.id)).state)
        self.data.run(MarkDeleted(old.id), SOON)
        self.assertRaises(errors.ChainConflict, self.data.run, MarkDeleted(new.id), SOON)

    def test_other_data_is_refused_where_complete_disks_above_would_change(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        top = self.based_on(self.based_on(image))
        held, data = self.locked_by_job(image), self.whole_data("flat")
        for clusters in (None, 2 * LINK.cluster_size):
            refused = self.assertRaises(errors.ChainConflict, self.data.run, ReplaceData(held, data, clusters), SOON)
            self.assertIn(top.id, refused.values["dependents"])
        self.data.run(ReplaceData(held, data, LINK.cluster_size), SOON)
        self.assertEqual([top.id, image.id], [self.data.run(LoadChain(top.id))[n].id for n in (0, -1)])
        self.assertEqual(4, len(self.data.run(LoadChain(self.based_on(top).id))))

    def test_indexes_above_other_data_go_and_are_kept_again_for_the_files_as_they_are(self) -> None:
        image = self.based_on(self.whole())
        middle = self.based_on(image)
        top = self.based_on(middle)
        beside = self.based_on(self.whole())
        self.data.run(ReplaceData(self.locked_by_job(image), self.whole_data("flat"), LINK.cluster_size), SOON)
        self.assertEqual([b"", b"", LINK.index], [self.index(one) for one in (middle, top, beside)])
        good = SaveDiskIndex(top.id, top.locations[0].url, 2, b"\x00new")
        for other in (replace(good, depth=3), replace(good, url="file:///other"), replace(good, image_id=image.id)):
            self.assertFalse(self.data.run(other, SOON))
        self.assertEqual((b"", True, b"\x00new"), (self.index(top), self.data.run(good, SOON), self.index(top)))
        self.assertFalse(self.data.run(replace(good, image_id=sample().id), SOON))

    def test_other_data_needs_room_and_a_job_that_goes_on(self) -> None:
        image = self.based_on(self.whole())
        held, data = self.locked_by_job(image), replace(self.whole_data("flat"), size=BIG)
        limits = Limits(project={IMAGE_SIZE_TOTAL: 100 + BIG - 1})
        self.assertRaises(errors.LimitExceeded, self.data.run, ReplaceData(held, data, limits=limits), SOON)
        self.data.run(CancelJob(held.id), SOON)
        self.assertRaises(errors.Gone, self.data.run, ReplaceData(held, data), SOON)
        self.assertRaises(errors.Gone, self.data.run, ReplaceData(replace(held, process="other"), data), SOON)
        self.assertEqual(image.locations, self.image(image).locations)

    def test_hashes_of_blocks_are_kept_part_by_part_until_the_data_is_replaced(self) -> None:
        base = self.whole()
        image = self.based_on(base)
        self.assertEqual(KnownHashes(0), self.data.run(GetBlockHashes(image.id, 0, 10)))
        for part, is_next in ((1, False), (0, True), (0, False), (1, True), (2, True)):
            saved = self.data.run(SaveBlockHashes(image.id, part, bytes([part, 0, 255])), SOON)
            self.assertEqual(is_next, saved)
        self.assertEqual(KnownHashes(3), self.data.run(GetBlockHashes(image.id)))
        found = KnownHashes(3, (b"\x01\x00\xff", b"\x02\x00\xff"))
        self.assertEqual(found, self.data.run(GetBlockHashes(image.id, 1, 2)))
        self.assertFalse(self.data.run(SaveBlockHashes(sample().id, 0, b""), SOON))
        self.data.run(ReplaceData(self.locked_by_job(image), self.whole_data("flat")), SOON)
        self.assertEqual(KnownHashes(0), self.data.run(GetBlockHashes(image.id)))

    def test_hashes_of_blocks_go_with_the_data_and_stay_in_the_trash(self) -> None:
        deleted, trashed = self.whole(), self.whole()
        for image in (deleted, trashed):
            self.assertTrue(self.data.run(SaveBlockHashes(image.id, 0, b"0"), SOON))
        self.data.run(MarkDeleted(deleted.id), SOON)
        self.data.run(MoveToTrash(trashed.id, timedelta(hours=1), job(kind="scrub", image_id=trashed.id)), SOON)
        counts = [self.data.run(GetBlockHashes(image.id)).count for image in (deleted, trashed)]
        self.assertEqual([0, 1], counts)
        self.data.run(DeleteFromTrash(trashed.id), SOON)
        self.assertEqual(0, self.data.run(GetBlockHashes(trashed.id)).count)

    def test_one_job_computes_the_hashes_of_blocks(self) -> None:
        image = self.whole()
        kind = "block_hashes"
        self.assertTrue(self.data.run(BeginBlockHashes(job(kind=kind, image_id=image.id)), NOW))
        self.assertFalse(self.data.run(BeginBlockHashes(job(kind=kind, image_id=image.id)), NOW))
        held = self.claim(kinds=(kind,))
        self.assertFalse(self.data.run(BeginBlockHashes(job(kind=kind, image_id=image.id)), NOW))
        self.assertTrue(self.data.run(BeginBlockHashes(job(kind=kind, image_id=self.whole().id)), NOW))
        self.data.run(FinishJob(held, "failure", None, "", LATER - NOW), SOON)
        self.assertTrue(self.data.run(BeginBlockHashes(job(kind=kind, image_id=image.id)), SOON))
        gone = BeginBlockHashes(job(kind=kind, image_id=sample().id))
        self.assertRaises(errors.NotFound, self.data.run, gone, NOW)

    def test_hashes_are_saved_once_by_workers_that_race(self) -> None:
        image = self.whole()
        calls = [SaveBlockHashes(image.id, 0, bytes([each])) for each in range(8)]
        self.assertEqual(1, sum(self.all_at_once(lambda call: self.data.run(call, SOON), calls)))

    def whole(self, **values: object) -> Image:
        """Create an active image of 100 bytes that may be a base and return it."""
        return self.insert(stored(**{"disk_format": "qcow2", **values}))

    def based_on(self, base: Image, **values: object) -> Image:
        """Create an image with a delta to ``base`` and return it."""
        image = self.create(
            **{"disk_format": "qcow2", "owner": base.owner or "mine", "visibility": "private", **values}
        )
        return self.data.run(RecordData(self.begin(image), delta_to(base, image.id)), SOON)

    def index(self, image: Image) -> bytes:
        """Return what is kept as the index of the complete disk of an image."""
        return self.data.run(GetDiskIndex(image.id))

    def whole_data(self, name: str = "whole") -> StoredData:
        """Return what the upload of whole data leaves."""
        return StoredData(
            Location(f"file:///images/{name}", {"store": "file"}), 700, 700, "c" * 32, "sha512", "d" * 128
        )

    def assert_refused(self, error: type[errors.GlanceMiniError], base: Image) -> errors.GlanceMiniError:
        """Fail unless an upload of a delta to ``base`` is refused and leaves the image as it was; return the error."""
        image = self.create(disk_format="qcow2")
        begun = self.begin(image)
        refused = self.assertRaises(error, self.data.run, RecordData(begun, delta_to(base)), SOON)
        self.assertEqual(("saving", ()), (self.image(image).status, self.image(image).locations))
        assert isinstance(refused, errors.GlanceMiniError)
        return refused

    def locked_by_job(self, image: Image) -> Job:
        """Begin a job that may replace the data of ``image`` and return it as a worker holds it."""
        begun = job(image_id=image.id)
        self.data.run(BeginImport(begun, "active", "active", {TASK_PROPERTY: begun.id}), NOW)
        return self.claim()

    def check_audience(
        self,
        base: tuple[str | None, str, tuple[str, ...]],
        image: tuple[str | None, str, tuple[str, ...]],
        is_allowed: bool,
    ) -> None:
        """Fail unless an image with the second audience can, or cannot, be linked to a base with the first one."""
        made: list[Image] = []
        for owner, visibility, members in (base, image):
            is_base = not made
            one = (
                self.whole(owner=owner, visibility="shared")
                if is_base
                else self.create(owner=owner, disk_format="qcow2")
            )
            for member in members:
                self.data.run(AddMember(one.id, one, member), NOW)
            made.append(self.change(one, PropertyChange("replace", "visibility", visibility)))
        call = RecordData(self.begin(made[1]), delta_to(made[0], made[1].id))
        if is_allowed:
            self.data.run(call, SOON)
        else:
            self.assertRaises(errors.ChainConflict, self.data.run, call, SOON)
