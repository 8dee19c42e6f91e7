"""Where the limits of a project come from."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import testtools

from glance_mini.domain import quota
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL
from glance_mini.layers.quota.limits import MIB, OptionLimits, UnifiedLimits, limit_source
from tests.unit.layers.support import make_conf


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


class TestOptions(testtools.TestCase):
    def test_the_storage_quota_is_every_projects_limit_of_bytes(self) -> None:
        source = limit_source(make_conf(self, "[DEFAULT]\nuser_storage_quota = 2GB\n"))
        for project in ("p1", "p2"):
            limits = source.project_limits(project)
            self.assertEqual({IMAGE_SIZE_TOTAL: 2 * 1024**3, IMAGE_STAGE_TOTAL: 2 * 1024**3}, limits)

    def test_under_the_storage_quota_all_bytes_count_together(self) -> None:
        source = OptionLimits(5)
        self.assertEqual(
            {
                IMAGE_SIZE_TOTAL: (quota.IMAGE_SIZE_DELETED, IMAGE_STAGE_TOTAL),
                IMAGE_STAGE_TOTAL: (quota.IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL),
            },
            source.together,
        )
        self.assertEqual((quota.IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL), source.shown)

    def test_deleted_images_need_not_count(self) -> None:
        off = "[DEFAULT]\nquota_counts_deleted = false\n"
        source = limit_source(make_conf(self, f"{off}user_storage_quota = 5\n"))
        self.assertEqual((IMAGE_STAGE_TOTAL,), source.together[IMAGE_SIZE_TOTAL])
        unified = limit_source(make_conf(self, f"{off}use_keystone_limits = true\n"))
        self.assertEqual((), unified.together[IMAGE_SIZE_TOTAL])

    def test_keystones_limit_of_staged_bytes_stands_apart(self) -> None:
        source = UnifiedLimits(Keystone().open)
        self.assertEqual({IMAGE_SIZE_TOTAL: (quota.IMAGE_SIZE_DELETED,)}, source.together)

    def test_no_quota_is_no_limit(self) -> None:
        self.assertEqual({}, limit_source(make_conf(self)).project_limits("p1"))
        self.assertEqual({}, OptionLimits(0).project_limits("p1"))

    def test_with_keystones_limits_the_storage_quota_is_not_looked_at(self) -> None:
        source = limit_source(make_conf(self, "[DEFAULT]\nuse_keystone_limits = true\nuser_storage_quota = 1GB\n"))
        self.assertIsInstance(source, UnifiedLimits)
        self.assertEqual(quota.COUNTED, source.shown)


class TestUnified(testtools.TestCase):
    def make(self, **limits: int) -> UnifiedLimits:
        self.keystone, self.clock = Keystone(**limits), Clock()
        return UnifiedLimits(self.keystone.open, self.clock)

    def test_sizes_are_mebibytes_and_counts_are_counts(self) -> None:
        source = self.make(image_size_total=3, image_stage_total=4, image_count_total=5, image_count_uploading=6)
        expected = {
            IMAGE_SIZE_TOTAL: 3 * MIB,
            IMAGE_STAGE_TOTAL: 4 * MIB,
            IMAGE_COUNT_TOTAL: 5,
            IMAGE_COUNT_UPLOADING: 6,
        }
        self.assertEqual(expected, source.project_limits("p1"))

    def test_unlimited_is_left_out_and_nothing_is_a_limit(self) -> None:
        self.assertEqual({IMAGE_COUNT_TOTAL: 0}, self.make(image_count_total=0).project_limits("p1"))

    def test_keystone_is_asked_at_the_first_use_and_again_after_half_a_minute(self) -> None:
        source = self.make(image_count_total=1)
        self.assertEqual(0, self.keystone.opened)
        for now, asked in ((5, 1), (34, 1), (35, 2), (64, 2), (66, 3)):
            self.clock.now = now
            source.project_limits("p1")
            self.assertEqual(["p1"] * asked, self.keystone.asked, now)
        self.assertEqual(1, self.keystone.opened)

    def test_each_project_is_remembered_for_itself(self) -> None:
        source = self.make()
        for project in ("p1", "p2", "p1", "p2"):
            source.project_limits(project)
        self.assertEqual(["p1", "p2"], self.keystone.asked)

    def test_a_limit_that_cannot_be_read_is_never_taken_for_none(self) -> None:
        class Broken(Exception):
            pass

        def fail(*arguments: Any) -> Any:
            raise Broken

        source = UnifiedLimits(fail)
        for _ in range(2):
            self.assertRaises(Broken, source.project_limits, "p1")
        known = self.make(image_count_total=1)
        known.project_limits("p1")
        self.clock.now = 100
        self.keystone.calculate_usage = fail  # type: ignore[method-assign]
        self.assertRaises(Broken, known.project_limits, "p1")

    def test_every_counted_resource_is_asked_for(self) -> None:
        asked: list[str] = []

        class Asking(Keystone):
            def calculate_usage(self, project_id: str, resources: list[str]) -> dict[str, Usage]:
                asked.extend(resources)
                return {}

        UnifiedLimits(Asking).project_limits("p1")
        self.assertEqual(list(quota.RESOURCES), asked)

    def test_many_requests_at_once_ask_once(self) -> None:
        everybody_is_here = threading.Event()

        class Slow(Keystone):
            def calculate_usage(self, project_id: str, resources: list[str]) -> dict[str, Usage]:
                everybody_is_here.wait(30)
                return super().calculate_usage(project_id, resources)

        keystone = Slow(image_count_total=7)
        source = UnifiedLimits(keystone.open)
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(source.project_limits, "p1") for _ in range(8)]
            while not all(each.running() for each in waiting):
                time.sleep(0.01)
            everybody_is_here.set()
        self.assertEqual([{IMAGE_COUNT_TOTAL: 7}] * 8, [each.result() for each in waiting])
        self.assertEqual(["p1"], keystone.asked)
