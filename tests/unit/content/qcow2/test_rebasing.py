"""A delta for another base: the same disk, and nothing in it that the new base has already."""

from hashlib import sha256

import testtools

from glance_mini.content.qcow2.block_hashes import BLOCK
from glance_mini.content.qcow2.changed import ChangedClusters
from glance_mini.content.qcow2.errors import StaleIndex
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.rebasing import STEP, Comparison, RebasedDelta
from tests.unit.content.qcow2.disks import KIB, MIB, WITH_QEMU, CountedSource, DiskCase, disk_of, joined


def compared(chain: Chain, base: Chain) -> Comparison:
    comparison = Comparison(chain, base)
    while not comparison.is_done:
        comparison.step()
    return comparison


@WITH_QEMU
class TestRebasing(DiskCase):
    def rebase(self, names: tuple[str, ...], base: tuple[str, ...]) -> bytes:
        """Rebase the chain ``names`` onto the chain ``base``, check the outcome and return its bytes."""
        delta = RebasedDelta(compared(self.chain(*names), self.chain(*base)))
        data = joined(delta.read())
        self.assertEqual(delta.size, len(data))
        (self.home / "delta").write_bytes(data)
        self.qemu_img("check", "-f", "qcow2", "delta")
        self.assertNotIn("backing", self.qemu_img("info", "-f", "qcow2", "delta"))
        kind = "raw" if base[0].endswith(".raw") else "qcow2"
        self.qemu_img("rebase", "-u", "-f", "qcow2", "-b", base[0], "-F", kind, "delta")
        self.qemu_img("compare", "-f", "qcow2", "-F", "qcow2", "delta", names[0])
        self.same_bytes(self.guest(names[0]), self.guest("delta"))
        for start in range(0, len(data), 50_001):
            self.same_bytes(data[start : start + 70_000], joined(delta.read(start, 70_000)))
        return data

    def test_onto_a_newer_base_with_other_cluster_sizes(self) -> None:
        data = bytearray(self.raw("old.raw", 3 * MIB))
        data[MIB : MIB + 200_000] = b"n" * 200_000
        (self.home / "new.raw").write_bytes(data)
        for options in ("", "cluster_size=512", "cluster_size=2M", "extended_l2=on,cluster_size=32k"):
            self.create("top", "old.raw", 4 * MIB, options)
            self.write("top", "write -P 5 300k 5k", "write -z 2M 100k", "write -P 6 3500k 10k")
            self.rebase(("top", "old.raw"), ("new.raw",))
            self.convert("new.raw", "new", "cluster_size=4k", "-c")
            self.rebase(("top", "old.raw"), ("new",))

    def test_only_what_differs_is_kept(self) -> None:
        old = self.raw("old.raw", 4 * MIB)
        (self.home / "new.raw").write_bytes(old[: 2 * MIB] + b"x" * 64 * KIB + old[2 * MIB + 64 * KIB :])
        self.create("top", "old.raw")
        self.write("top", "write -P 5 128k 64k")
        self.assertEqual((1 + 1 + 1 + 1 + 1 + 2) * 64 * KIB, len(self.rebase(("top", "old.raw"), ("new.raw",))))

    def test_onto_a_base_that_has_it_all(self) -> None:
        self.raw("old.raw", 3 * MIB)
        self.create("top", "old.raw")
        self.write("top", "write -P 5 128k 64k")
        (self.home / "new.raw").write_bytes(self.guest("top"))
        self.assertEqual(4 * 64 * KIB, len(self.rebase(("top", "old.raw"), ("new.raw",))))

    def test_where_the_new_base_has_data_and_the_disk_has_none_zeros_are_marked(self) -> None:
        self.create("top", None, 2 * MIB)
        (self.home / "new.raw").write_bytes(b"x" * MIB)
        self.assertEqual(5 * 64 * KIB, len(self.rebase(("top",), ("new.raw",))))

    def test_onto_a_base_that_is_shorter(self) -> None:
        self.raw("old.raw", 3 * MIB)
        self.create("top", "old.raw")
        self.raw("new.raw", MIB + 512)
        self.rebase(("top", "old.raw"), ("new.raw",))

    def test_what_both_take_from_one_place_is_not_read(self) -> None:
        self.raw("base.raw", 3 * MIB)
        self.create("newer", "base.raw")
        self.write("newer", "write -P 7 2M 64k")
        self.create("top", "base.raw")
        self.write("top", "write -P 5 128k 64k")
        _, (top, newer, base) = self.counted("top", "newer", "base.raw")
        chain = Chain([Level(top, "qcow2"), Level(base, "raw")])
        compared(chain, Chain([Level(newer, "qcow2"), Level(base, "raw")]))
        self.assertEqual([(128 * KIB, 64 * KIB), (2 * MIB, 64 * KIB)], sorted(base.reads))


class TestCheckpoint(testtools.TestCase):
    def make(self) -> tuple[Chain, Chain]:
        """Return two disks of five steps; each has clusters of its own at the borders of steps."""
        ours, theirs = [0] * 5 * 4096, [0] * 5 * 4096
        for number, at in enumerate((0, 4095, 4096, 5 * 4096 - 1)):
            ours[at] = (6 + number) * 64 * KIB
        theirs[4096] = 6 * 64 * KIB
        found = []
        for entries in (ours, theirs):
            tables = [entries[start : start + 8192] for start in range(0, len(entries), 8192)]
            l1 = [(2 + number) * 64 * KIB for number in range(3)]
            data = disk_of(5 * STEP, 16, l1, [*tables, [0]], clusters=4)
            found.append(Chain([Level(CountedSource(data), "qcow2")]))
        return found[0], found[1]

    def test_a_comparison_goes_on_from_any_step(self) -> None:
        whole = joined(RebasedDelta(compared(*self.make())).read())
        comparison = Comparison(*self.make())
        done = []
        while not comparison.is_done:
            done.append(comparison.step())
            comparison = Comparison(*self.make(), comparison.checkpoint())
        self.assertEqual([STEP, 2 * STEP, 3 * STEP, 4 * STEP, 5 * STEP], done)
        self.assertEqual(sha256(whole).digest(), sha256(joined(RebasedDelta(comparison).read())).digest())
        self.assertEqual([(0, 1), (4095, 4096), (5 * 4096 - 1, 5 * 4096)], list(comparison.changed.ranges(0, 99_999)))

    def test_a_checkpoint_of_something_else_is_refused(self) -> None:
        good = compared(*self.make()).checkpoint()
        small = Chain([Level(CountedSource(b"x" * 512), "raw")])
        self.assertRaises(StaleIndex, Comparison, small, small, good)
        for data in (b"", good[:-10], good[:30], b"y" + good[1:], b"changed\1" + good):
            self.assertRaises(StaleIndex, Comparison, *self.make(), data)


class TestChangedClusters(testtools.TestCase):
    def test_ranges_are_those_that_were_put_in(self) -> None:
        numbers = {0, 1, 2, 7, 8, 63, 64, 8191, 8192, 8193, 40_000, 10**12}
        found = ChangedClusters()
        for number in numbers:
            found.add(number)
        for start, end in ((0, 10**12 + 1), (1, 8), (2, 8193), (3, 7), (8192, 8192), (40_000, 40_001), (9, 10**13)):
            inside = {number for first, stop in found.ranges(start, end) for number in range(first, stop)}
            self.assertEqual({number for number in numbers if start <= number < end}, inside, (start, end))
        again, position = ChangedClusters.decode(found.encode(BLOCK))
        self.assertEqual((BLOCK, list(found.ranges(0, 10**13))), (position, list(again.ranges(0, 10**13))))
