"""Where the limits of a project come from."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import testtools

from glance_mini.domain import quota
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL
from glance_mini.layers.quota.limits import (
    MIB,
    STORED_SECONDS,
    UNIFIED_SECONDS,
    LimitSource,
    ProjectLimits,
    UnifiedLimits,
    limit_source,
    stored_limits,
)
from glance_mini.operations.records import SetProjectLimits
from tests.unit.layers.support import make_conf, make_database


@dataclass
class Usage:
    """What oslo.limit tells of a resource."""

    limit: int
    usage: int = 0


class Keystone:
    """In the place of oslo.limit: the limits by project, and what was asked."""

    def __init__(self, **limits: int) -> None:
        self.limits = limits
        self.asked: list[str] = []
        self.opened = 0

    def open(self) -> "Keystone":
        self.opened += 1
        return self

    def calculate_usage(self, project_id: str, resources: list[str]) -> dict[str, Usage]:
        self.asked.append(project_id)
        return {resource: Usage(self.limits.get(resource, -1)) for resource in resources}


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


class TestStored(testtools.TestCase):
    def source(self, text: str = "") -> LimitSource:
        self.data = make_database(self)
        return limit_source(make_conf(self, f"[DEFAULT]\n{text}\n"), self.data)

    def test_the_storage_quota_is_every_projects_limit_of_bytes(self) -> None:
        source = self.source("user_storage_quota = 2GB")
        for project in ("p1", "p2"):
            limits = source.limits_of(project).limits
            self.assertEqual({IMAGE_SIZE_TOTAL: 2 * 1024**3, IMAGE_STAGE_TOTAL: 2 * 1024**3}, limits)

    def test_under_the_storage_quota_all_bytes_count_together(self) -> None:
        expected = {
            IMAGE_SIZE_TOTAL: (quota.IMAGE_SIZE_DELETED, IMAGE_STAGE_TOTAL),
            IMAGE_STAGE_TOTAL: (quota.IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL),
        }
        self.assertEqual(expected, stored_limits({}, 5).together)

    def test_deleted_images_need_not_count(self) -> None:
        off = "quota_counts_deleted = false\nuser_storage_quota = 5"
        self.assertEqual((IMAGE_STAGE_TOTAL,), self.source(off).limits_of("p1").together[IMAGE_SIZE_TOTAL])
        unified = UnifiedLimits(Keystone().open, counts_deleted=False)
        self.assertEqual((), unified("p1").together[IMAGE_SIZE_TOTAL])
        self.assertEqual({IMAGE_SIZE_TOTAL: ()}, stored_limits({IMAGE_SIZE_TOTAL: 1}, 5, False).together)

    def test_keystones_limit_of_staged_bytes_stands_apart(self) -> None:
        together = UnifiedLimits(Keystone().open)("p1").together
        self.assertEqual({IMAGE_SIZE_TOTAL: (quota.IMAGE_SIZE_DELETED,)}, together)

    def test_no_quota_is_no_limit(self) -> None:
        self.assertEqual(ProjectLimits(), self.source().limits_of("p1"))

    def test_a_project_with_a_limit_of_its_own_has_it_in_place_of_the_storage_quota(self) -> None:
        deleted = (quota.IMAGE_SIZE_DELETED,)
        for own, limits, together in (
            ({IMAGE_SIZE_TOTAL: 7}, {IMAGE_SIZE_TOTAL: 7}, {IMAGE_SIZE_TOTAL: deleted}),
            ({IMAGE_SIZE_TOTAL: -1}, {}, {IMAGE_SIZE_TOTAL: deleted}),
            (
                {IMAGE_STAGE_TOTAL: 7},
                {IMAGE_SIZE_TOTAL: 5, IMAGE_STAGE_TOTAL: 7},
                {IMAGE_SIZE_TOTAL: (*deleted, IMAGE_STAGE_TOTAL)},
            ),
            (
                {IMAGE_COUNT_TOTAL: 0},
                {IMAGE_SIZE_TOTAL: 5, IMAGE_STAGE_TOTAL: 5, IMAGE_COUNT_TOTAL: 0},
                stored_limits({}, 5).together,
            ),
        ):
            self.assertEqual(ProjectLimits(limits, together), stored_limits(own, 5), own)

    def test_a_limit_in_the_database_takes_effect_soon(self) -> None:
        source, clock = self.source(), Clock()
        source._clock = clock
        self.assertEqual({}, source.limits_of("p1").limits)
        self.data.run(SetProjectLimits("p1", {IMAGE_COUNT_TOTAL: 3}))
        self.assertEqual({}, source.limits_of("p1").limits)
        clock.now += STORED_SECONDS
        self.assertEqual({IMAGE_COUNT_TOTAL: 3}, source.limits_of("p1").limits)
        self.assertEqual({}, source.limits_of("p2").limits)

    def test_with_keystones_limits_the_database_is_not_asked(self) -> None:
        source = self.source("use_keystone_limits = true\nuser_storage_quota = 1GB")
        self.assertIsInstance(source._read, UnifiedLimits)


class TestUnified(testtools.TestCase):
    def make(self, **limits: int) -> LimitSource:
        self.keystone, self.clock = Keystone(**limits), Clock()
        return LimitSource(UnifiedLimits(self.keystone.open), UNIFIED_SECONDS, self.clock)

    def test_sizes_are_mebibytes_and_counts_are_counts(self) -> None:
        source = self.make(image_size_total=3, image_stage_total=4, image_count_total=5, image_count_uploading=6)
        expected = {
            IMAGE_SIZE_TOTAL: 3 * MIB,
            IMAGE_STAGE_TOTAL: 4 * MIB,
            IMAGE_COUNT_TOTAL: 5,
            IMAGE_COUNT_UPLOADING: 6,
        }
        self.assertEqual(expected, source.limits_of("p1").limits)

    def test_unlimited_is_left_out_and_nothing_is_a_limit(self) -> None:
        self.assertEqual({IMAGE_COUNT_TOTAL: 0}, self.make(image_count_total=0).limits_of("p1").limits)

    def test_keystone_is_asked_at_the_first_use_and_again_after_half_a_minute(self) -> None:
        source = self.make(image_count_total=1)
        self.assertEqual(0, self.keystone.opened)
        for now, asked in ((5, 1), (34, 1), (35, 2), (64, 2), (66, 3)):
            self.clock.now = now
            source.limits_of("p1")
            self.assertEqual(["p1"] * asked, self.keystone.asked, now)
        self.assertEqual(1, self.keystone.opened)

    def test_each_project_is_remembered_for_itself(self) -> None:
        source = self.make()
        for project in ("p1", "p2", "p1", "p2"):
            source.limits_of(project)
        self.assertEqual(["p1", "p2"], self.keystone.asked)

    def test_a_limit_that_cannot_be_read_is_never_taken_for_none(self) -> None:
        class Broken(Exception):
            pass

        def fail(*arguments: Any) -> Any:
            raise Broken

        source = LimitSource(UnifiedLimits(fail), UNIFIED_SECONDS)
        for _ in range(2):
            self.assertRaises(Broken, source.limits_of, "p1")
        known = self.make(image_count_total=1)
        known.limits_of("p1")
        self.clock.now = 100
        self.keystone.calculate_usage = fail  # type: ignore[method-assign]
        self.assertRaises(Broken, known.limits_of, "p1")

    def test_every_counted_resource_is_asked_for(self) -> None:
        asked: list[str] = []

        class Asking(Keystone):
            def calculate_usage(self, project_id: str, resources: list[str]) -> dict[str, Usage]:
                asked.extend(resources)
                return {}

        UnifiedLimits(Asking)("p1")
        self.assertEqual(list(quota.RESOURCES), asked)

    def test_many_requests_at_once_ask_once(self) -> None:
        everybody_is_here = threading.Event()

        class Slow(Keystone):
            def calculate_usage(self, project_id: str, resources: list[str]) -> dict[str, Usage]:
                everybody_is_here.wait(30)
                return super().calculate_usage(project_id, resources)

        keystone = Slow(image_count_total=7)
        source = LimitSource(UnifiedLimits(keystone.open), UNIFIED_SECONDS)
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(source.limits_of, "p1") for _ in range(8)]
            while not all(each.running() for each in waiting):
                time.sleep(0.01)
            everybody_is_here.set()
        self.assertEqual([{IMAGE_COUNT_TOTAL: 7}] * 8, [each.result().limits for each in waiting])
        self.assertEqual(["p1"], keystone.asked)
