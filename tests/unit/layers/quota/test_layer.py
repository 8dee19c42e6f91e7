"""Limits of the service, the project and the image."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import fixtures
import testtools

from glance_mini.domain import quota
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import GlanceMiniError, Gone, LimitExceeded, NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.query import EVERYTHING, ImageQuery
from glance_mini.domain.quota import (
    IMAGE_COUNT_TOTAL,
    IMAGE_COUNT_UPLOADING,
    IMAGE_SIZE_DELETED,
    IMAGE_SIZE_TOTAL,
    IMAGE_STAGE_TOTAL,
    NO_LIMITS,
    Limits,
)
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.layers.quota.layer import ImageLimits, QuotaLayer
from glance_mini.layers.quota.limits import LimitSource, ProjectLimits, stored_limits
from glance_mini.layers.quota.reservations import SCARCE_STEPS
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations import (
    OPERATIONS,
    ImageOperation,
    data,
    images,
    imports,
    info,
    links,
    locations,
    members,
    records,
)
from glance_mini.operations.images import ListImages
from glance_mini.operations.records import CountUsage
from glance_mini.testing.operations import make_operation
from glance_mini.testing.recorder import Recorder, recorder_below
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image, make_job
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from tests.unit.layers.support import (
    ADMIN,
    CLOUDLESS_ADMIN,
    OWNER,
    count,
    make_database,
    make_database_layer,
    make_member,
    stand,
)

QUEUED = make_image(status="queued", size=None, locations=())
PER_IMAGE = ImageLimits(properties=2, tags=3, members=4, locations=5, size=100)
FROM_BELOW = LimitExceeded(resource="image_count_total", limit=1, wanted=2)


class ByProject:
    """Limits that differ from project to project, as Keystone's do."""

    def __init__(self, limits: dict[str, dict[str, int]]) -> None:
        self._limits = limits

    def limits_of(self, project_id: str) -> ProjectLimits:
        return ProjectLimits(self._limits.get(project_id, {}))


def option(storage: int) -> LimitSource:
    """Return the limits of projects without limits of their own, under a storage quota."""
    return LimitSource(lambda _: stored_limits({}, storage), 60)


@dataclass(frozen=True)
class GildImage(ImageOperation[Image]):
    """A change of an image that no release knows, and that takes room."""

    name: ClassVar[str] = "gild_image"
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class PraiseImage(ImageOperation[Image]):
    """Another one, which takes none."""

    name: ClassVar[str] = "praise_image"


class QuotaCase(testtools.TestCase):
    def stand(self, source: Any = None, per_image: ImageLimits = PER_IMAGE, **values: Any) -> tuple[Stack, Recorder]:
        self.metrics = Metrics()
        self.slept: list[float] = []
        layer = {name: values.pop(name) for name in ("step", "links") if name in values}
        sleep = values.pop("sleep", self.slept.append)
        quota_layer = QuotaLayer(source or option(1000), per_image, self.metrics, sleep=sleep, **layer)
        return stand(quota_layer, **values)

    def refusals(self, resource: str) -> float:
        return count(self.metrics.quota_refusals, resource)


class TestRecords(QuotaCase):
    def test_what_is_written_carries_the_limits_of_the_owner(self) -> None:
        source = ByProject({"p1": {IMAGE_SIZE_TOTAL: 7}, "p2": {IMAGE_COUNT_TOTAL: 8}})
        limits = {
            "p1": Limits({IMAGE_SIZE_TOTAL: 7}, properties=2, tags=3, locations=5),
            "p2": Limits({IMAGE_COUNT_TOTAL: 8}, properties=2, tags=3, locations=5),
            None: Limits({}, properties=2, tags=3, locations=5),
        }
        stack, recorder = self.stand(source)
        for owner, expected in limits.items():
            target = make_image(owner=owner, status="queued")
            stack.call(ADMIN, images.CreateImage(base={"owner": owner}))
            stack.call(ADMIN, images.UpdateImage(IMAGE_ID, target, (PropertyChange("replace", "name", "x"),)))
            stack.call(ADMIN, data.UploadData(IMAGE_ID, target))
            stack.call(ADMIN, images.RestoreImage(IMAGE_ID, target))
            self.assertEqual([expected] * 4, [op.limits for op in recorder.seen[-4:]], owner)

    def test_every_operation_on_an_image_that_takes_room_carries_the_limits_of_its_owner(self) -> None:
        expected = Limits({IMAGE_SIZE_TOTAL: 7}, properties=2, tags=3, locations=5)
        for operation in OPERATIONS:
            if issubclass(operation, ImageOperation) and any(each.name == "limits" for each in fields(operation)):
                stack, recorder = self.stand(
                    ByProject({"p1": {IMAGE_SIZE_TOTAL: 7}}), count_usage={IMAGE_SIZE_TOTAL: 0}
                )
                stack.call(ADMIN, make_operation(operation))
                self.assertEqual((operation.name, expected), (recorder.seen[-1].name, recorder.seen[-1].limits))

    def test_a_new_operation_with_limits_is_given_those_of_the_owner_and_its_refusals_are_counted(self) -> None:
        def refuse(context: Context, op: Any) -> None:
            seen.append(op)
            raise FROM_BELOW

        seen: list[Any] = []
        metrics = Metrics()
        layer = QuotaLayer(ByProject({"p1": {IMAGE_SIZE_TOTAL: 7}}), PER_IMAGE, metrics)
        layer.bind({"gild_image": refuse})
        op = GildImage(IMAGE_ID, make_image())
        self.assertRaises(LimitExceeded, layer.handler(GildImage), ADMIN, op)
        self.assertEqual([replace(op, limits=Limits({IMAGE_SIZE_TOTAL: 7}, properties=2, tags=3, locations=5))], seen)
        self.assertEqual(1, count(metrics.quota_refusals, "image_count_total"))

    def test_operations_without_limits_do_not_meet_the_layer(self) -> None:
        layer = QuotaLayer(option(1), PER_IMAGE, Metrics())
        for operation in (PraiseImage, images.GetImage, images.DeleteImage, images.ListImages, records.BeginImport):
            self.assertIsNone(layer.handler(operation))

    def test_without_limits_nothing_is_limited(self) -> None:
        per_image = ImageLimits(size=2**63)
        stack, recorder = self.stand(option(0), per_image)
        stack.call(OWNER, images.CreateImage(base={"owner": "p1"}, properties={str(n): "" for n in range(1000)}))
        self.assertEqual(NO_LIMITS, recorder.seen[0].limits)

    def test_an_image_is_created_with_at_most_so_many_properties_and_tags(self) -> None:
        table = [
            ({}, ["a", "b"], ["1", "2", "3"], None),
            ({}, ["a", "b", "os_glance_x"], [], None),
            ({}, ["a", "b", "c"], [], "image_property_quota"),
            ({}, [], ["1", "2", "3", "4"], "image_tag_quota"),
        ]
        for base, names, tags, refused in table:
            stack, recorder = self.stand()
            op = images.CreateImage(base={**base, "tags": tags}, properties=dict.fromkeys(names, ""))
            if refused is None:
                stack.call(OWNER, op)
                continue
            error = self.assertRaises(LimitExceeded, stack.call, OWNER, op)
            self.assertIn(refused, str(error))
            self.assertEqual(([], 1), (recorder.names, self.refusals(refused)))

    def test_a_new_member_carries_the_limit_of_members(self) -> None:
        stack, recorder = self.stand(add_member=make_member())
        stack.call(OWNER, members.AddMember(IMAGE_ID, make_image(), "p2"))
        self.assertEqual(4, recorder.seen[0].limit)

    def test_a_new_link_carries_the_limit_of_links(self) -> None:
        stack, recorder = self.stand(links=6, add_link=None)
        stack.call(OWNER, links.AddLink(IMAGE_ID, make_image()))
        self.assertEqual(6, recorder.seen[0].limit)

    def test_a_refusal_from_below_is_counted_once(self) -> None:
        def refuse(context: Context, op: Any) -> None:
            raise FROM_BELOW

        for op in (
            images.CreateImage(),
            images.UpdateImage(IMAGE_ID, make_image()),
            members.AddMember(IMAGE_ID, make_image(), "p2"),
            data.UploadData(IMAGE_ID, QUEUED),
        ):
            stack, _ = self.stand(**{op.name: refuse})
            self.assertRaises(LimitExceeded, stack.call, OWNER, op)
            self.assertEqual(1, self.refusals("image_count_total"), op.name)


class Room:
    """The reservations of a project below the quota layer: ``free`` bytes, and others that hold the rest."""

    def __init__(self, limit: int, used: int = 0, younger: tuple[int, ...] = ()) -> None:
        self.limit = limit
        self.used = used + sum(younger)
        self.younger = list(younger)
        self.taken: list[int] = []

    def reserve(self, context: Context, op: records.ReserveSpace) -> None:
        limit = op.limits.project[IMAGE_SIZE_TOTAL]
        if self.used + op.amount > limit:
            raise LimitExceeded(resource=IMAGE_SIZE_TOTAL, limit=limit, wanted=self.used + op.amount)
        self.used += op.amount
        self.taken.append(op.amount)

    def is_youngest(self, context: Context, op: records.IsYoungestTransfer) -> bool:
        return not self.younger

    def give_way(self, seconds: float) -> None:
        """The youngest of the others ends while somebody sleeps."""
        if self.younger:
            self.used -= self.younger.pop()

    def give_way_unseen(self, context: Context, op: records.IsYoungestTransfer) -> bool:
        """The last of the others ends just before the question who is the youngest is answered."""
        self.give_way(0)
        return not self.younger


def take_all(context: Context, op: data.UploadData) -> list[bytes]:
    return list(op.chunks)


class TestImports(QuotaCase):
    def test_what_an_import_writes_carries_the_limits_of_the_images_owner(self) -> None:
        source = ByProject({"p1": {IMAGE_SIZE_TOTAL: 7}, "p7": {IMAGE_SIZE_TOTAL: 8}})
        expected = Limits({IMAGE_SIZE_TOTAL: 7}, properties=2, tags=3, locations=5)
        target = make_image(status="queued")
        stack, recorder = self.stand(source, load_image=target, count_usage={IMAGE_SIZE_TOTAL: 0})
        for op in (
            imports.StageData(IMAGE_ID, target),
            locations.AddLocation(IMAGE_ID, target),
            imports.ImportImage(IMAGE_ID, target),
            records.RecordImport(make_job(project_id="p7"), None, {}),  # type: ignore[arg-type]
        ):
            stack.call(OWNER, op)
            self.assertEqual((op.name, expected), (recorder.seen[-1].name, recorder.seen[-1].limits))

    def test_the_copy_of_an_image_that_was_deleted_goes_on_to_where_it_is_noticed(self) -> None:
        def missing(context: Context, op: records.LoadImage) -> None:
            raise NotFound(kind="image", id=op.image_id)

        stack, recorder = self.stand(load_image=missing)
        stack.call(OWNER, records.RecordImport(make_job(), None, {}))  # type: ignore[arg-type]
        self.assertEqual(["load_image", "record_import"], recorder.names)

    def test_an_import_wants_room_for_one_byte_at_least(self) -> None:
        for used, is_room in ((999, True), (1000, False), (1001, False)):
            stack, recorder = self.stand(count_usage={IMAGE_SIZE_TOTAL: used})
            op = imports.ImportImage(IMAGE_ID, QUEUED)
            if is_room:
                stack.call(OWNER, op)
            else:
                self.assertRaises(LimitExceeded, stack.call, OWNER, op)
                self.assertEqual(1, self.refusals(IMAGE_SIZE_TOTAL))
            self.assertEqual(is_room, "import_image" in recorder.names)

    def test_an_import_wants_room_beside_staged_and_deleted_bytes_but_not_beside_its_own(self) -> None:
        staged = make_image(status="uploading", size=600, locations=())
        for deleted, is_room in ((399, True), (400, False)):
            used = {IMAGE_SIZE_TOTAL: 600, IMAGE_STAGE_TOTAL: 600, IMAGE_SIZE_DELETED: deleted}
            stack, recorder = self.stand(option(1000), count_usage=used)
            op = imports.ImportImage(IMAGE_ID, staged)
            if is_room:
                stack.call(OWNER, op)
            else:
                self.assertRaises(LimitExceeded, stack.call, OWNER, op)
            self.assertEqual(is_room, "import_image" in recorder.names)

    def test_staging_is_bounded_by_its_own_limit(self) -> None:
        source = ByProject({"p1": {IMAGE_STAGE_TOTAL: 64, IMAGE_SIZE_TOTAL: 1}})
        taken: list[Any] = []
        stack, _ = self.stand(source, step=1, reserve_space=lambda context, op: taken.append(op), stage_data=take_all)
        stack.call(OWNER, imports.StageData(IMAGE_ID, QUEUED, chunks=[b"x" * 30, b"x" * 34]))
        self.assertEqual([30, 34], [op.amount for op in taken])
        self.assertEqual({IMAGE_STAGE_TOTAL: 64}, taken[0].limits.project)

    def test_staged_data_may_not_be_larger_than_an_image(self) -> None:
        stack, recorder = self.stand(stage_data=take_all)
        self.assertRaises(LimitExceeded, stack.call, OWNER, imports.StageData(IMAGE_ID, QUEUED, size=101))
        self.assertEqual([], recorder.names)
        op = imports.StageData(IMAGE_ID, QUEUED, chunks=[b"x" * 60, b"x" * 41])
        self.assertRaises(LimitExceeded, stack.call, OWNER, op)


class TestUploads(QuotaCase):
    def upload(self, room: Room, chunks: list[bytes], **values: Any) -> Any:
        usual = {
            "sleep": room.give_way,
            "is_youngest_transfer": room.is_youngest,
            "reserve_space": room.reserve,
            "upload_data": take_all,
        }
        stack, self.recorder = self.stand(option(room.limit), ImageLimits(), **usual | values)
        return stack.call(OWNER, data.UploadData(IMAGE_ID, QUEUED, chunks=chunks))

    def test_a_size_beyond_the_cap_is_refused_before_anything_happens(self) -> None:
        stack, recorder = self.stand()
        stack.call(OWNER, data.UploadData(IMAGE_ID, QUEUED, size=100))
        error = self.assertRaises(LimitExceeded, stack.call, OWNER, data.UploadData(IMAGE_ID, QUEUED, size=101))
        self.assertIn("image_size_cap is 100", str(error))
        self.assertEqual((["upload_data"], 1), (recorder.names, self.refusals("image_size_cap")))

    def test_data_beyond_the_cap_is_refused_as_it_flows_and_counted_once(self) -> None:
        for size in (None, 50):
            stack, _ = self.stand(option(0), upload_data=take_all)
            fits = data.UploadData(IMAGE_ID, QUEUED, chunks=[b"x" * 60, b"x" * 40], size=size)
            self.assertEqual(100, len(b"".join(stack.call(OWNER, fits))))
            more = data.UploadData(IMAGE_ID, QUEUED, chunks=[b"x" * 60, b"x" * 41], size=size)
            self.assertRaises(LimitExceeded, stack.call, OWNER, more)
            self.assertEqual(1, self.refusals("image_size_cap"))

    def test_every_upload_has_a_transfer_of_its_own(self) -> None:
        stack, recorder = self.stand()
        for given in (None, None, "t1"):
            stack.call(OWNER, data.UploadData(IMAGE_ID, QUEUED, transfer_id=given))
        ids = [op.transfer_id for op in recorder.seen]
        self.assertEqual((3, "t1"), (len(set(ids)), ids[2]))
        self.assertNotIn(None, ids)

    def test_a_known_size_is_not_reserved_again_while_it_flows(self) -> None:
        stack, recorder = self.stand(option(1000), upload_data=take_all)
        stack.call(OWNER, data.UploadData(IMAGE_ID, QUEUED, chunks=[b"x" * 50], size=50))
        self.assertEqual(["upload_data"], recorder.names)

    def test_without_a_limit_of_bytes_nothing_is_reserved(self) -> None:
        stack, recorder = self.stand(ByProject({"p1": {IMAGE_COUNT_TOTAL: 3}}), upload_data=take_all)
        stack.call(OWNER, data.UploadData(IMAGE_ID, QUEUED, chunks=[b"x" * 50]))
        self.assertEqual(["upload_data"], recorder.names)

    def test_an_unknown_size_takes_room_in_steps_while_there_is_plenty(self) -> None:
        room = Room(limit=10_000)
        self.upload(room, [b"x" * 30] * 10, step=100)
        self.assertEqual([100, 100, 100], room.taken)

    def test_a_block_larger_than_a_step_is_reserved_whole(self) -> None:
        room = Room(limit=10_000)
        self.upload(room, [b"x" * 250, b"x" * 10], step=100)
        self.assertEqual([250, 100], room.taken)

    def test_an_unknown_size_takes_only_what_it_needs_where_room_is_scarce(self) -> None:
        step = 100
        room = Room(limit=SCARCE_STEPS * step + 150)
        self.upload(room, [b"x" * 30] * 8, step=step)
        self.assertEqual([100, 20, 30, 30, 30, 30], room.taken)

    def test_the_last_byte_of_the_limit_can_be_used(self) -> None:
        room = Room(limit=100, used=10)
        self.upload(room, [b"x" * 45, b"x" * 45])
        self.assertEqual(100, room.used)

    def test_the_youngest_upload_is_refused_where_there_is_no_room(self) -> None:
        room = Room(limit=100, used=60)
        error = self.assertRaises(LimitExceeded, self.upload, room, [b"x" * 30, b"x" * 30])
        self.assertIn("image_size_total is 100", str(error))
        self.assertEqual(([30, -30], 1), (room.taken, self.refusals(IMAGE_SIZE_TOTAL)))

    def test_an_older_upload_waits_until_younger_ones_have_given_way(self) -> None:
        room = Room(limit=100, younger=(40, 40))
        written = self.upload(room, [b"x" * 50, b"x" * 50])
        self.assertEqual((100, [50, 50]), (len(b"".join(written)), room.taken))

    def test_room_that_became_free_while_it_asked_is_taken(self) -> None:
        room = Room(limit=100, younger=(80,))
        self.upload(room, [b"x" * 50], is_youngest_transfer=room.give_way_unseen)
        self.assertEqual([50], room.taken)

    def test_nobody_waits_for_ever(self) -> None:
        room = Room(limit=100, younger=(80,))
        slept: list[float] = []
        self.assertRaises(LimitExceeded, self.upload, room, [b"x" * 50], sleep=slept.append)
        self.assertAlmostEqual(60.0, sum(slept), places=0)

    def test_a_transfer_that_was_taken_away_ends_the_upload(self) -> None:
        def gone(context: Context, op: records.ReserveSpace) -> None:
            raise Gone(kind="transfer", id=op.transfer_id)

        self.assertRaises(Gone, self.upload, Room(100), [b"x"], reserve_space=gone)


class TestUsage(QuotaCase):
    def test_usage_comes_with_the_limits_of_keystone(self) -> None:
        source = ByProject({"p1": {IMAGE_SIZE_TOTAL: 7, IMAGE_COUNT_UPLOADING: 0}})
        stack, recorder = self.stand(source, count_usage={IMAGE_SIZE_TOTAL: 3, IMAGE_COUNT_TOTAL: 2})
        expected = {
            "image_size_total": (3, 7),
            "image_stage_total": (0, -1),
            "image_count_total": (2, -1),
            "image_count_uploading": (0, 0),
            "image_size_deleted": (0, -1),
        }
        self.assertEqual(expected, stack.call(OWNER, info.GetUsage()))
        self.assertEqual([records.CountUsage("p1")], recorder.seen)

    def test_usage_under_the_storage_quota_shows_everything_that_is_counted(self) -> None:
        stack, _ = self.stand(option(5), count_usage={IMAGE_SIZE_TOTAL: 3, IMAGE_SIZE_DELETED: 1})
        expected = {
            "image_size_total": (3, 5),
            "image_stage_total": (0, 5),
            "image_count_total": (0, -1),
            "image_count_uploading": (0, -1),
            "image_size_deleted": (1, -1),
        }
        self.assertEqual(expected, stack.call(OWNER, info.GetUsage()))

    def test_usage_without_a_quota_has_no_limits(self) -> None:
        stack, _ = self.stand(option(0), count_usage={IMAGE_SIZE_TOTAL: 3})
        usage = stack.call(OWNER, info.GetUsage())
        self.assertEqual((3, {-1}), (usage[IMAGE_SIZE_TOTAL][0], {limit for _, limit in usage.values()}))

    def test_usage_is_empty_without_a_project(self) -> None:
        stack, recorder = self.stand(ByProject({}))
        self.assertEqual({}, stack.call(CLOUDLESS_ADMIN, info.GetUsage()))
        self.assertEqual([], recorder.names)


class TestAtOnce(testtools.TestCase):
    """Uploads at once against a quota that has room for some of them, on a real database and a real store."""

    SIZE = 60
    UPLOADS = 20
    ROOM = 5
    TIMEOUT = 60.0

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.data = make_database(self, f"sqlite:///{folder / 'test.db'}")
        self.driver = MemoryDriver()

    def make_stack(self, step: int) -> Stack:
        metrics, leases = Metrics(), LeaseKeeper(self.data, 60)
        source = option(self.SIZE * self.ROOM)
        layers = (
            QuotaLayer(source, ImageLimits(), metrics, step, sleep=lambda seconds: time.sleep(seconds / 20)),
            LocationLayer(Stores([Store(self.driver, is_default=True)], multi=False), leases, metrics),
            make_database_layer(self.data),
        )
        return Stack([*layers, recorder_below(*layers)])

    def upload_all(self, stack: Stack, size: int | None) -> list[GlanceMiniError]:
        """Return what was refused of ``UPLOADS`` uploads at once, each in blocks of a sixth."""
        base = {"owner": "p1", "disk_format": "raw", "container_format": "bare"}
        created = [stack.call(OWNER, images.CreateImage(base=base)) for _ in range(self.UPLOADS)]
        start = threading.Barrier(self.UPLOADS)
        refused: list[GlanceMiniError] = []

        def blocks(meet: Callable[[], Any]) -> Iterator[bytes]:
            for number in range(6):
                if number == 1 and size is None:
                    meet()
                yield bytes(self.SIZE // 6)

        def upload(image_id: str) -> None:
            # Of known size the losers never read a byte, so they meet before; else after the first block.
            if size is not None:
                start.wait(self.TIMEOUT)
            chunks = blocks(lambda: start.wait(self.TIMEOUT))
            try:
                stack.call(make_context(), data.UploadData(image_id, chunks=chunks, size=size))
            except GlanceMiniError as error:
                refused.append(error)

        threads = [threading.Thread(target=upload, args=(image.id,), daemon=True) for image in created]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.TIMEOUT)
            self.assertFalse(thread.is_alive(), "an upload hangs")
        return refused

    def check(self, refused: list[GlanceMiniError]) -> None:
        self.assertEqual({LimitExceeded}, {type(error) for error in refused})
        self.assertEqual(self.UPLOADS - self.ROOM, len(refused))
        found = self.data.run(ListImages(ImageQuery(limit=100), EVERYTHING)).images
        active = [image.id for image in found if image.status == "active"]
        self.assertEqual(self.ROOM, len(active))
        self.assertEqual(self.UPLOADS - self.ROOM, sum(image.status == "queued" for image in found))
        for image in found:
            if image.id in active:
                self.assertEqual([self.SIZE], [self.driver.size(location.url) for location in image.locations])
            else:
                self.assertEqual((), image.locations)
        usage = self.data.run(CountUsage("p1"))
        self.assertEqual((self.ROOM * self.SIZE, 0), (usage[quota.IMAGE_SIZE_TOTAL], usage[IMAGE_COUNT_UPLOADING]))

    def test_of_20_uploads_of_known_size_as_many_stay_as_there_is_room_for(self) -> None:
        self.check(self.upload_all(self.make_stack(step=64), self.SIZE))

    def test_of_20_uploads_of_unknown_size_as_many_stay_as_there_is_room_for(self) -> None:
        self.check(self.upload_all(self.make_stack(step=64), None))

    def test_it_makes_no_difference_when_the_first_steps_are_large(self) -> None:
        self.check(self.upload_all(self.make_stack(step=15), None))
