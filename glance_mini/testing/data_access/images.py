"""The contract for single images: creation, changes, deletion and its undoing, purge."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import LocationChange, PropertyChange, TagChange
from glance_mini.domain.clock import utcnow
from glance_mini.domain.image import Location
from glance_mini.domain.query import EVERYTHING
from glance_mini.domain.quota import Limits
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.members import AddMember, DeleteMember, UpdateMember
from glance_mini.operations.records import (
    CountUsage,
    FinishRemoval,
    HoldRemoval,
    ListRemovals,
    LoadImage,
    MarkDeleted,
    PurgeImages,
    SetStatus,
    TakeDueRemovals,
    UndoDeletion,
)
from glance_mini.testing.data_access.samples import (
    LATER,
    MINE,
    MUCH_LATER,
    NOBODY,
    NOW,
    THEIRS,
    ContractBase,
    creation,
    location,
    sample,
    stored,
)

AWKWARD = 'quote " backslash \\ newline \n tab \t bell \x07 emoji \U0001f600 accent e\u0301 '


class ImageContract(ContractBase):
    def test_created_image_comes_back_as_it_was_given(self) -> None:
        image = stored(
            name=AWKWARD,
            visibility="private",
            protected=True,
            os_hidden=True,
            min_ram=2**31 - 1,
            min_disk=7,
            size=2**53,
            virtual_size=2**60,
            checksum="c" * 32,
            os_hash_algo="sha512",
            os_hash_value="d" * 128,
            tags=("b", AWKWARD),
            properties={"": "", AWKWARD: AWKWARD, "long": "x" * 65_535, "null": None},
            locations=(location("b"), Location(f"file:///{AWKWARD}", {"deep": {"list": [1, AWKWARD]}})),
        )
        created = self.insert(image)
        got = self.data.run(LoadImage(image.id, MINE))
        self.assertEqual(created, got)
        self.assertNotIn(None, [one.id for one in got.locations])
        bare = tuple(replace(one, id=None) for one in got.locations)
        self.assertEqual(image, replace(got, locations=bare, tags=tuple(sorted(got.tags))))

    def test_time_of_a_call_is_that_of_the_server_where_the_caller_gives_none(self) -> None:
        created = self.data.run(creation(sample()))
        self.assertLess(abs(created.created_at - utcnow()), timedelta(minutes=5))
        self.assertEqual(created, self.data.run(LoadImage(created.id)))

    def test_image_with_nothing_set_comes_back_as_it_was_given(self) -> None:
        image = sample(disk_format=None, container_format=None, owner=None)
        self.insert(image)
        self.assertEqual(image, self.data.run(LoadImage(image.id)))

    def test_id_is_given_once_only(self) -> None:
        image = self.create()
        self.assertRaises(errors.Duplicate, self.insert, image)
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertRaises(errors.Duplicate, self.insert, image)
        self.assertEqual(1, self.data.run(PurgeImages(timedelta(days=30), 10), MUCH_LATER))
        self.assertRaises(errors.Duplicate, self.insert, image)

    def test_id_compares_exactly(self) -> None:
        image = self.create(id="ABCDEF00-0000-4000-8000-000000000000")
        for other in (image.id.lower(), image.id + " ", image.id[:-1] + "%", "x" * 5000, ""):
            self.assertRaises(errors.NotFound, self.data.run, LoadImage(other))

    def test_property_names_and_tags_differ_by_case_and_trailing_space(self) -> None:
        properties = {"a": "1", "A": "2", "a ": "3", "\u00e4": "4"}
        image = self.create(properties=properties, tags=("t", "T", "t "))
        got = self.data.run(LoadImage(image.id, MINE))
        self.assertEqual(properties, got.properties)
        self.assertEqual({"t", "T", "t "}, set(got.tags))

    def test_who_sees_an_image_by_id(self) -> None:
        seen = {
            "private": (MINE, EVERYTHING),
            "shared": (MINE, EVERYTHING),
            "community": (MINE, EVERYTHING, THEIRS, NOBODY),
            "public": (MINE, EVERYTHING, THEIRS, NOBODY),
        }
        for visibility, scopes in seen.items():
            image = self.create(visibility=visibility)
            for scope in (MINE, EVERYTHING, THEIRS, NOBODY):
                if scope in scopes:
                    self.assertEqual(image, self.data.run(LoadImage(image.id, scope)))
                else:
                    self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id, scope))

    def test_image_without_owner_is_everybodys(self) -> None:
        image = self.create(owner=None, visibility="private")
        self.assertEqual(image, self.data.run(LoadImage(image.id, NOBODY)))

    def test_member_sees_a_shared_image_in_any_member_status(self) -> None:
        image = self.create()
        self.data.run(AddMember(image.id, member_id="theirs"), NOW)
        for status in ("pending", "rejected", "accepted"):
            self.data.run(UpdateMember(image.id, member_id="theirs", status=status), NOW)
            self.assertEqual(image, self.data.run(LoadImage(image.id, THEIRS)))
        self.data.run(DeleteMember(image.id, member_id="theirs"), NOW)
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id, THEIRS))

    def test_member_does_not_see_an_image_that_became_private(self) -> None:
        image = self.create()
        self.data.run(AddMember(image.id, member_id="theirs"), NOW)
        self.change(image, PropertyChange("add", "visibility", "private"))
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id, THEIRS))

    def test_update_stores_the_difference_and_returns_the_image(self) -> None:
        image = self.create(name="old", properties={"keep": "1", "change": "2", "drop": "3"}, tags=("keep", "drop"))
        updated = self.change(
            image,
            PropertyChange("replace", "name", None),
            PropertyChange("add", "min_ram", 5),
            PropertyChange("replace", "change", AWKWARD),
            PropertyChange("remove", "drop"),
            PropertyChange("create", "new", ""),
            TagChange("add", "new"),
            TagChange("remove", "drop"),
        )
        self.assertEqual({"keep": "1", "change": AWKWARD, "new": ""}, updated.properties)
        self.assertEqual({"keep", "new"}, set(updated.tags))
        self.assertEqual((None, 5, LATER), (updated.name, updated.min_ram, updated.updated_at))
        got = self.data.run(LoadImage(image.id, MINE))
        self.assertEqual(updated, replace(got, tags=updated.tags))
        self.assertEqual(set(updated.tags), set(got.tags))

    def test_update_that_fails_stores_nothing(self) -> None:
        image = self.create()
        changes = (PropertyChange("add", "a", "1"), PropertyChange("remove", "absent"))
        self.assertRaises(errors.Conflict, self.data.run, UpdateImage(image.id, changes=changes), LATER)
        self.assertEqual(image, self.data.run(LoadImage(image.id, MINE)))

    def test_update_keeps_within_limits(self) -> None:
        image = self.create()
        changes = (PropertyChange("add", "a", "1"), PropertyChange("add", "b", "1"))
        update = UpdateImage(image.id, changes=changes, limits=Limits(properties=1))
        error = self.assertRaises(errors.LimitExceeded, self.data.run, update, LATER)
        self.assertEqual({"resource": "image_property_quota", "limit": 1, "wanted": 2}, error.values)

    def test_update_of_an_image_that_is_not_there_is_not_found(self) -> None:
        image = self.create()
        self.data.run(MarkDeleted(image.id), NOW)
        for image_id in (image.id, sample().id):
            self.assertRaises(errors.NotFound, self.data.run, UpdateImage(image_id, changes=()), NOW)

    def test_empty_update_changes_nothing(self) -> None:
        image = self.create()
        self.assertEqual(image, self.change(image))
        self.assertEqual(image, self.data.run(LoadImage(image.id, MINE)))

    def test_locations_keep_their_order(self) -> None:
        image = self.create(status="active", size=1, locations=(location("a"), location("b")))
        updated = self.change(image, LocationChange("add", 1, (location("c"),)))
        self.assertEqual(["a", "c", "b"], [one.url[-1] for one in updated.locations])
        self.assertEqual(updated, self.data.run(LoadImage(image.id, MINE)))

    def test_metadata_of_a_location_is_replaced_in_place(self) -> None:
        image = self.insert(stored())
        other = Location(image.locations[0].url, {"store": "other"})
        updated = self.change(image, LocationChange("replace", None, (other,)))
        self.assertEqual(replace(other, id=image.locations[0].id), updated.locations[0])
        self.assertEqual(updated, self.data.run(LoadImage(image.id, MINE)))
        self.assertEqual([], list(self.data.run(ListRemovals(image.id))))

    def test_location_that_is_removed_becomes_a_pending_deletion(self) -> None:
        image = self.create(status="active", size=1, locations=(location("a"), location("b", "other")))
        updated = self.change(image, LocationChange("remove", 1))
        self.assertEqual(image.locations[:1], updated.locations)
        (deletion,) = self.data.run(ListRemovals(image.id))
        self.assertEqual((location("b").url, {"store": "other"}), (deletion.url, deletion.metadata))

    def test_status_is_set_from_an_expected_one_only(self) -> None:
        image = self.insert(stored())
        reactivate = SetStatus(image.id, "active", frozenset({"deactivated"}))
        error = self.assertRaises(errors.StatusConflict, self.data.run, reactivate, NOW)
        self.assertEqual("active", error.values["status"])
        changed = self.data.run(SetStatus(image.id, "deactivated", frozenset({"active", "queued"})), LATER)
        self.assertEqual(replace(image, status="deactivated", updated_at=LATER), changed)
        self.assertEqual(changed, self.data.run(LoadImage(image.id, MINE)))

    def test_entering_queued_forgets_the_sizes(self) -> None:
        image = self.create(status="importing", size=5, virtual_size=6)
        changed = self.data.run(SetStatus(image.id, "queued", frozenset({"importing"})), LATER)
        self.assertEqual((None, None), (changed.size, changed.virtual_size))

    def test_status_of_an_image_that_is_not_there_is_not_found(self) -> None:
        self.assertRaises(errors.NotFound, self.data.run, SetStatus(sample().id, "active", frozenset({"queued"})), NOW)

    def test_deleted_image_is_gone_and_its_data_pending(self) -> None:
        image = self.insert(stored(properties={"a": "1"}, tags=("t",)))
        deleted = self.data.run(MarkDeleted(image.id), LATER)
        expected = replace(image, status="deleted", deleted_at=LATER, updated_at=LATER, locations=())
        self.assertEqual(expected, deleted)
        self.assertRaises(errors.NotFound, self.data.run, LoadImage(image.id))
        self.assertRaises(errors.NotFound, self.data.run, MarkDeleted(image.id), LATER)
        (deletion,) = self.data.run(ListRemovals(image.id))
        self.assertEqual((image.id, image.locations[0].url), (deletion.image_id, deletion.url))

    def test_protected_image_is_not_deleted(self) -> None:
        image = self.create(protected=True)
        self.assertRaises(errors.Forbidden, self.data.run, MarkDeleted(image.id), NOW)
        self.assertEqual(image, self.data.run(LoadImage(image.id, MINE)))

    def test_restored_image_is_as_before_its_deletion(self) -> None:
        image = self.insert(
            stored(name="n", properties={"a": "1"}, tags=("t",), locations=(location("a"), location("b")))
        )
        self.data.run(AddMember(image.id, member_id="theirs"), NOW)
        before = self.data.run(CountUsage("mine"))
        self.data.run(MarkDeleted(image.id), NOW)
        restored = self.data.run(UndoDeletion(image), LATER)
        same_ids = tuple(replace(one, id=old.id) for one, old in zip(restored.locations, image.locations, strict=True))
        self.assertEqual(replace(image, updated_at=LATER), replace(restored, locations=same_ids))
        self.assertEqual(restored, self.data.run(LoadImage(image.id, THEIRS)))
        self.assertEqual([], list(self.data.run(ListRemovals(image.id))))
        self.assertEqual(before, self.data.run(CountUsage("mine")))

    def test_restored_image_has_only_the_data_that_is_left(self) -> None:
        image = self.insert(stored(locations=(location("a"), location("b"))))
        self.data.run(MarkDeleted(image.id), NOW)
        first, second = self.data.run(ListRemovals(image.id))
        self.data.run(FinishRemoval(first.id))
        self.assertEqual([second.url], [one.url for one in self.data.run(UndoDeletion(image), NOW).locations])

    def test_image_whose_data_is_gone_is_not_restored(self) -> None:
        image = self.insert(stored())
        self.data.run(MarkDeleted(image.id), NOW)
        for deletion in self.data.run(ListRemovals(image.id)):
            self.data.run(FinishRemoval(deletion.id))
        self.assertRaises(errors.NotFound, self.data.run, UndoDeletion(image), NOW)

    def test_due_deletion_is_given_to_one_caller_until_it_comes_again(self) -> None:
        image = self.insert(stored())
        self.data.run(MarkDeleted(image.id), NOW)
        retry = timedelta(minutes=1)
        taken = self.data.run(TakeDueRemovals(retry), LATER)
        self.assertEqual(list(self.data.run(ListRemovals(image.id))), list(taken))
        self.assertEqual([], list(self.data.run(TakeDueRemovals(retry), LATER)))
        self.assertEqual(list(taken), list(self.data.run(TakeDueRemovals(timedelta(days=1)), LATER + retry)))
        self.data.run(FinishRemoval(taken[0].id))
        self.data.run(FinishRemoval(taken[0].id))
        self.assertEqual([], list(self.data.run(TakeDueRemovals(retry), MUCH_LATER)))

    def test_deletion_that_was_taken_is_held_by_its_taker_only_and_until_it_is_finished(self) -> None:
        image = self.insert(stored())
        self.data.run(MarkDeleted(image.id), NOW)
        retry = timedelta(minutes=1)
        (taken,) = self.data.run(TakeDueRemovals(retry), LATER)
        self.assertTrue(self.data.run(HoldRemoval(taken, 3 * retry), LATER))
        self.assertFalse(self.data.run(HoldRemoval(taken, retry), LATER))
        self.assertEqual((), self.data.run(TakeDueRemovals(retry), LATER + retry))
        (again,) = self.data.run(TakeDueRemovals(retry), LATER + 3 * retry)
        self.assertEqual((taken, LATER + 4 * retry), (again, again.due_at))
        self.assertFalse(self.data.run(HoldRemoval(taken, retry), LATER + 3 * retry))
        self.data.run(UndoDeletion(image), NOW)
        self.assertFalse(self.data.run(HoldRemoval(again, retry), LATER + 3 * retry))

    def test_new_deletion_is_left_to_the_request_that_made_it(self) -> None:
        image = self.insert(stored())
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertEqual([], list(self.data.run(TakeDueRemovals(timedelta(days=1)), NOW)))

    def test_purge_takes_old_deleted_images_without_pending_data(self) -> None:
        old, young, pending = self.create(), self.create(), self.insert(stored())
        kept = self.create()
        for image, when in ((old, NOW), (pending, NOW), (young, MUCH_LATER)):
            self.data.run(MarkDeleted(image.id), when)
        self.assertEqual(1, self.data.run(PurgeImages(timedelta(days=30), 10), MUCH_LATER))
        self.assertEqual(0, self.data.run(PurgeImages(timedelta(days=30), 10), MUCH_LATER))
        self.assertEqual(kept, self.data.run(LoadImage(kept.id, MINE)))

    def test_purge_takes_no_more_images_than_it_may(self) -> None:
        for _ in range(3):
            self.data.run(MarkDeleted(self.create().id), NOW)
        counts = [self.data.run(PurgeImages(timedelta(days=1), 2), MUCH_LATER) for _ in range(3)]
        self.assertEqual([2, 1, 0], counts)
