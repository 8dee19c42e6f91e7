"""The contract for what nodes record about their caches of image data."""

from dataclasses import replace
from datetime import timedelta

from glance_mini.domain.cache import CachedSize, CacheRecord
from glance_mini.operations.cache import (
    FindCachedNodes,
    ForgetCached,
    ListCacheRecords,
    ListCachingQueue,
    ListInactiveImages,
    ListPopularImages,
    QueueCaching,
    RecordCached,
    RecordCacheHits,
    UnqueueCaching,
)
from glance_mini.operations.records import MarkDeleted, SetStatus
from glance_mini.testing.data_access.samples import LATER, NOW, ContractBase

HERE, THERE = "http://here:9292", "http://there:9292"
AT_ONCE = 12


class CacheContract(ContractBase):
    def note(self, node: str, *sizes: CachedSize) -> None:
        self.data.run(RecordCached(node, sizes), NOW)

    def recorded(self, node: str = HERE) -> dict[str, CacheRecord]:
        """Return the records of a node by image."""
        return {each.image_id: each for each in self.data.run(ListCacheRecords(node))}

    def test_sizes_are_recorded_by_node_and_replaced(self) -> None:
        self.note(HERE, CachedSize("b", 2**40, True), CachedSize("a", 5, False))
        self.note(THERE, CachedSize("a", 7, True))
        first = CacheRecord("a", 5, False, 0, NOW, NOW)
        self.assertEqual([first, CacheRecord("b", 2**40, True, 0, NOW, NOW)], list(self.recorded().values()))
        self.data.run(RecordCached(HERE, (CachedSize("a", 9, True),)), LATER)
        self.assertEqual(replace(first, size=9, is_complete=True, last_modified=LATER), self.recorded()["a"])
        self.assertEqual(7, self.recorded(THERE)["a"].size)

    def test_hits_are_added_also_to_images_without_a_size(self) -> None:
        self.note(HERE, CachedSize("a", 5, True))
        self.data.run(RecordCacheHits(HERE, {"a": 2, "b": 1}), NOW)
        self.data.run(RecordCacheHits(HERE, {"a": 3}), LATER)
        found = self.recorded()
        self.assertEqual((5, 5, LATER, NOW), (found["a"].hits, found["a"].size, *_times(found["a"])))
        self.assertEqual((1, 0, False), (found["b"].hits, found["b"].size, found["b"].is_complete))

    def test_nodes_with_all_data_are_found(self) -> None:
        for node, is_complete in ((THERE, True), (HERE, True), ("http://half:9292", False)):
            self.note(node, CachedSize("a", 5, is_complete))
        self.assertEqual((HERE, THERE), self.data.run(FindCachedNodes("a")))
        self.assertEqual((), self.data.run(FindCachedNodes("b")))

    def test_named_records_of_one_node_are_forgotten(self) -> None:
        many = [f"image-{number}" for number in range(1200)]
        self.note(HERE, *(CachedSize(each, 1, True) for each in [*many, "kept"]))
        self.note(THERE, CachedSize(many[0], 1, True))
        self.assertEqual(1200, self.data.run(ForgetCached(HERE, frozenset({*many, "unknown"})), LATER))
        self.assertEqual((["kept"], [many[0]]), (list(self.recorded()), list(self.recorded(THERE))))

    def test_records_without_data_are_forgotten_when_they_were_long_unused(self) -> None:
        self.note(HERE, CachedSize("data", 5, True))
        self.data.run(RecordCacheHits(HERE, {"old": 1}), NOW)
        self.data.run(RecordCacheHits(HERE, {"new": 1}), LATER)
        unused = LATER - NOW
        self.assertEqual(1, self.data.run(ForgetCached(HERE, unused=unused), LATER))
        self.assertEqual(["data", "new"], list(self.recorded()))

    def test_queue_of_a_node_keeps_its_order_and_each_image_once(self) -> None:
        for image_id, at in (("b", NOW), ("a", LATER), ("b", LATER + timedelta(hours=1))):
            self.data.run(QueueCaching(HERE, image_id), at)
        self.data.run(QueueCaching(THERE, "c"), NOW)
        self.assertEqual(("b", "a"), self.data.run(ListCachingQueue(HERE)))
        self.assertEqual(1, self.data.run(UnqueueCaching(HERE, frozenset({"b", "unknown"})), LATER))
        self.assertEqual(1, self.data.run(UnqueueCaching(HERE), LATER))
        self.assertEqual(((), ("c",)), (self.data.run(ListCachingQueue(HERE)), self.data.run(ListCachingQueue(THERE))))

    def test_popular_images_are_those_with_the_most_hits_of_all_nodes(self) -> None:
        self.note(HERE, CachedSize("never", 5, True))
        for node, hits in ((HERE, {"a": 3, "b": 2}), (THERE, {"b": 2, "c": 3})):
            self.data.run(RecordCacheHits(node, hits), NOW)
        self.assertEqual(("b", "a", "c"), self.data.run(ListPopularImages(10)))
        self.assertEqual(("b",), self.data.run(ListPopularImages(1)))

    def test_images_that_are_not_active_are_told(self) -> None:
        active, deactivated, deleted = (self.create(status="active") for _ in range(3))
        self.data.run(SetStatus(deactivated.id, "deactivated", frozenset({"active"})), NOW)
        self.data.run(MarkDeleted(deleted.id), NOW)
        asked = frozenset({active.id, deactivated.id, deleted.id, "unknown"})
        self.assertEqual(asked - {active.id}, self.data.run(ListInactiveImages(asked)))

    def test_hits_and_sizes_recorded_at_once_are_all_kept(self) -> None:
        images = [f"image-{number}" for number in range(20)]

        def change(number: int) -> None:
            ordered = images if number % 2 else images[::-1]
            self.data.run(RecordCacheHits(HERE, dict.fromkeys(ordered, 1)), NOW)
            self.data.run(RecordCached(HERE, tuple(CachedSize(each, number, True) for each in ordered)), NOW)

        self.all_at_once(change, range(AT_ONCE))
        found = self.recorded()
        self.assertEqual((set(images), {AT_ONCE}), (set(found), {each.hits for each in found.values()}))

    def test_an_image_queued_and_recorded_at_once_by_many_has_one_row(self) -> None:
        def change(number: int) -> None:
            self.data.run(QueueCaching(HERE, "a"), NOW)
            self.data.run(RecordCached(HERE, (CachedSize("a", 5, True),)), NOW)
            if number % 3 == 0:
                self.data.run(ForgetCached(HERE, frozenset({"a"})), NOW)

        self.all_at_once(change, range(AT_ONCE))
        self.assertEqual(("a",), self.data.run(ListCachingQueue(HERE)))
        self.note(HERE, CachedSize("a", 6, True))
        self.assertEqual([6], [each.size for each in self.recorded().values()])


def _times(record: CacheRecord) -> tuple[object, object]:
    return record.last_accessed, record.last_modified
