"""Runs against what ``qemu-img map`` says, and where a run ends."""

from typing import cast

import testtools

from glance_mini.content.qcow2.extents import Chain, Kind, Level, Run
from glance_mini.content.qcow2.runs import joined
from tests.unit.content.qcow2.disks import KIB, MIB, WITH_QEMU, CountedSource, DiskCase, disk_of

COPIED = 1 << 63
CLUSTER = 64 * KIB


@WITH_QEMU
class TestMap(DiskCase):
    def compare(self, *names: str) -> None:
        """Compare the runs of a chain with what qemu-img says, byte by byte of 512."""
        ours: dict[int, tuple[object, ...]] = {}
        for run in self.chain(*names).runs():
            for at in range(0, run.length, 512):
                place = run.offset + at if run.kind is Kind.DATA else None
                ours[run.start + at] = (run.level, run.kind is not Kind.ZERO, place)
        theirs: dict[int, tuple[object, ...]] = {}
        for part in self.map(names[0]):
            is_zero, is_data = bool(part["zero"]), bool(part["data"])
            if not part["present"] or part["depth"] == len(names) or (is_zero and part["depth"] == len(names) - 1):
                continue
            for at in range(0, cast(int, part["length"]), 512):
                place = cast(int, part["offset"]) + at if is_data and "offset" in part else None
                theirs[cast(int, part["start"]) + at] = (part["depth"], is_data, place)
        self.assertEqual(theirs, {start: run for start, run in ours.items() if start in theirs or run[1]})

    def test_sub_formats(self) -> None:
        self.raw("disk.raw", 3 * MIB)
        for options in ("", "compat=0.10", "cluster_size=512", "cluster_size=2M", "extended_l2=on"):
            self.convert("disk.raw", "disk", options)
            self.compare("disk")
            self.convert("disk.raw", "disk", options, "-c")
            self.compare("disk")

    def test_a_chain(self) -> None:
        self.raw("disk.raw", 3 * MIB)
        self.convert("disk.raw", "base", "cluster_size=4k")
        self.create("middle", "base", None, "cluster_size=64k")
        self.write("middle", "write -P 3 100k 20k", "write -z 1M 192k")
        self.create("top", "middle", "4M", "extended_l2=on,cluster_size=32k")
        self.write("top", "write -P 5 110k 2k", "write -z 2000k 2k")
        self.compare("top", "middle", "base")


@WITH_QEMU
class TestSubclusters(DiskCase):
    def test_a_range_within_a_cluster_has_only_its_own_subclusters(self) -> None:
        self.create("disk", None, "4M", "cluster_size=2M,extended_l2=on")
        self.write("disk", "write -P 1 0 64k", "write -P 2 256k 64k", "write -P 3 1M 64k")
        chain = self.chain("disk")
        found = [(run.start // KIB, run.length // KIB) for run in chain.runs(200 * KIB, 300 * KIB)]
        self.assertEqual([(256, 44)], found)
        self.assertEqual([], list(chain.runs(100 * KIB, 200 * KIB)))


class TestRuns(testtools.TestCase):
    def runs(self, *arguments: object, **options: object) -> list[Run]:
        """Return the runs of a disk of seven clusters: data, data, elsewhere, zeros, nothing, data, compressed."""
        at = 3 * CLUSTER
        packed = 1 << 62 | 1 << 54 | 8 * CLUSTER + 100
        entries = [at | COPIED, at + CLUSTER | COPIED, at + 3 * CLUSTER, 1, 0, at + 2 * CLUSTER | COPIED, packed]
        data = disk_of(7 * CLUSTER, 16, [2 * CLUSTER | COPIED], [entries], clusters=6)
        chain = Chain([Level(CountedSource(data), "qcow2")])
        return list(chain.runs(*arguments, **options))  # type: ignore[arg-type]

    def test_clusters_that_follow_each_other_are_one_run(self) -> None:
        expected = [
            Run(0, 2 * CLUSTER, 0, Kind.DATA, 3 * CLUSTER),
            Run(2 * CLUSTER, CLUSTER, 0, Kind.DATA, 6 * CLUSTER),
            Run(3 * CLUSTER, CLUSTER, 0, Kind.ZERO),
            Run(5 * CLUSTER, CLUSTER, 0, Kind.DATA, 5 * CLUSTER),
            Run(6 * CLUSTER, CLUSTER, 0, Kind.COMPRESSED, 8 * CLUSTER + 100, 1024 - 100),
        ]
        self.assertEqual(expected, self.runs())

    def test_a_range_cuts_runs_at_its_bounds(self) -> None:
        self.assertEqual([Run(100, 50, 0, Kind.DATA, 3 * CLUSTER + 100)], self.runs(100, 150))
        start = 6 * CLUSTER + 10
        self.assertEqual(
            [Run(start, 5, 0, Kind.COMPRESSED, 8 * CLUSTER + 100, 1024 - 100, 10)], self.runs(start, start + 5)
        )
        self.assertEqual([], self.runs(4 * CLUSTER, 5 * CLUSTER))
        self.assertEqual([], self.runs(8 * CLUSTER, 9 * CLUSTER))
        self.assertEqual([], self.runs(5, 5))

    def test_runs_of_different_levels_or_places_are_not_joined(self) -> None:
        one = Run(0, 10, 0, Kind.DATA, 100)
        for other in (one._replace(start=10, level=1, offset=110), one._replace(start=10, offset=111)):
            self.assertEqual([one, other], list(joined([one, other])))
        self.assertEqual([one._replace(length=30)], list(joined([one, Run(10, 20, 0, Kind.DATA, 110)])))

    def test_only_the_base_may_be_raw(self) -> None:
        source = CountedSource(b"x" * 512)
        self.assertRaises(ValueError, Chain, [Level(source, "raw"), Level(source, "raw")])
        self.assertRaises(ValueError, Chain, [])

    def test_tables_are_kept_within_their_bound(self) -> None:
        tables = [[0] * 8192 for _ in range(4)]
        data = disk_of(2048 * MIB, 16, [(2 + number) * CLUSTER for number in range(4)], tables)
        for cache, expected in ((8 * MIB, 1 + 1 + 4), (2 * CLUSTER, 1 + 2 * (4 + 4))):
            source = CountedSource(data)
            chain = Chain([Level(source, "qcow2")], cache)
            list(chain.runs())
            list(chain.runs())
            self.assertLessEqual(len(source.reads), expected)
