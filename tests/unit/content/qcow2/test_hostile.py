"""Tables and headers that lie: a clear error or the bytes that they name, within bounds of reads and memory."""

import zlib
from collections.abc import Callable

import testtools
from hypothesis import given, settings
from hypothesis import strategies as st

from glance_mini.content.qcow2.complete import CompleteDisk, make_index
from glance_mini.content.qcow2.errors import Damaged, StaleIndex, Unsupported
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.guest import read_guest
from glance_mini.content.qcow2.header import parse_header
from glance_mini.content.qcow2.unpacking import unpack
from tests.unit.content.qcow2.disks import KIB, MIB, CountedSource, disk_of, header, joined

BOUNDED = settings(deadline=None, database=None, derandomize=True, max_examples=150)

CLUSTER = 512
WORDS = st.one_of(
    st.integers(0, 128).map(lambda number: number * CLUSTER),
    st.integers(0, 2**64 - 1),
    st.sampled_from([1, 1 << 62, 1 << 63, (1 << 62) | 5 * CLUSTER, (1 << 56) - CLUSTER, (1 << 63) | 3 * CLUSTER]),
)


def attempt(action: Callable[[], object]) -> bool:
    """Return whether ``action`` succeeds; it may fail by the errors that stand for bad data only."""
    try:
        action()
    except (Damaged, Unsupported):
        return False
    return True


class TestFuzzedTables(testtools.TestCase):
    @BOUNDED
    @given(st.lists(WORDS, max_size=64), st.lists(WORDS, max_size=128), st.integers(1, 4 * MIB))
    def test_tables_of_any_numbers_cost_few_reads(self, l1: list[int], entries: list[int], size: int) -> None:
        data = disk_of(size, 9, l1 + [0] * (-(-size >> 15) - len(l1)), [entries[:64], entries[64:]], clusters=40)
        source = CountedSource(data[: 64 * KIB])
        chain = Chain([Level(source, "qcow2")])
        if attempt(lambda: make_index(chain)):
            disk = CompleteDisk(chain)
            attempt(lambda: joined(disk.read(0, 256 * KIB)))
            attempt(lambda: joined(read_guest(chain, 0, 256 * KIB)))
        self.assertLessEqual(len(source.reads), 40)

    @BOUNDED
    @given(st.binary(max_size=104), st.integers(0, 103))
    def test_headers_of_any_bytes(self, noise: bytes, at: int) -> None:
        start = bytearray(header(3 * MIB, length=112))
        start[at : at + len(noise)] = noise
        attempt(lambda: parse_header(start, MIB))

    @BOUNDED
    @given(st.lists(st.tuples(st.integers(4, 1 << 12), st.integers(0, 255)), min_size=1, max_size=12), st.booleans())
    def test_a_file_with_bytes_that_flipped(self, flips: list[tuple[int, int]], is_extended: bool) -> None:
        entries = [3 * CLUSTER, 4 * CLUSTER, 1, 0, 1 << 62 | 5 * CLUSTER]
        data = bytearray(disk_of(64 * CLUSTER, 9, [2 * CLUSTER], [entries], clusters=3))
        if is_extended:
            data[72:80] = (16).to_bytes(8, "big")
        for place, value in flips:
            data[place % len(data)] = value
        chain = Chain([Level(CountedSource(bytes(data)), "qcow2")])
        if attempt(lambda: chain.size) and chain.size < MIB:
            attempt(lambda: joined(CompleteDisk(chain).read()))
            attempt(lambda: joined(read_guest(chain)))

    @BOUNDED
    @given(st.binary(max_size=2000), st.booleans())
    def test_packed_bytes_that_are_none(self, data: bytes, is_zstd: bool) -> None:
        attempt(lambda: unpack(data, 65536, is_zstd))

    @BOUNDED
    @given(st.binary(max_size=300), st.integers(0, 200))
    def test_indexes_of_any_bytes(self, noise: bytes, at: int) -> None:
        chain = Chain([Level(CountedSource(disk_of(MIB, 16, [2 * 65536], [[3 * 65536]], clusters=1)), "qcow2")])
        good = make_index(chain)
        body = bytearray(zlib.decompress(good[8:]))
        body[at : at + len(noise)] = noise
        for data in (noise, good[:8] + noise, good[:8] + zlib.compress(bytes(body)), good[:at]):
            try:
                CompleteDisk(chain, data)
            except StaleIndex:
                continue


class TestBounds(testtools.TestCase):
    def disk(self, data: bytes) -> tuple[Chain, CountedSource]:
        source = CountedSource(data)
        return Chain([Level(source, "qcow2")]), source

    def refused(self, data: bytes, reason: str) -> None:
        """Check that a disk is refused before it has cost more than a few reads."""
        chain, source = self.disk(data)
        error = self.assertRaises(Damaged, make_index, chain)
        self.assertIn(reason, str(error))
        self.assertLessEqual(len(source.reads), 5)

    def test_one_table_for_everything(self) -> None:
        l1 = [4 * 65536] * 16_000
        self.refused(disk_of(8192 * 65536 * 16_000, 16, l1, [[5 * 65536] * 8192], clusters=1), "larger than the file")

    def test_one_cluster_for_everything(self) -> None:
        self.refused(disk_of(512 * MIB, 16, [2 * 65536], [[3 * 65536] * 8192], clusters=1), "more data than the file")

    def test_one_packed_cluster_for_everything(self) -> None:
        packed = 1 << 62 | 3 * 65536
        data = disk_of(512 * MIB, 16, [2 * 65536], [[packed] * 8192], clusters=0) + b"packed"
        self.refused(data[: 3 * 65536 + 512], "more compressed clusters")

    def test_the_largest_disk(self) -> None:
        entries = 4 * MIB
        source = CountedSource(header(entries << 29, 16) + bytes(65536 - 112))
        source.size = 65536 + 8 * entries
        chain = Chain([Level(Grown(source), "qcow2")])
        disk = CompleteDisk(chain, make_index(chain))
        self.assertLess(disk.size, 40 * MIB)
        self.assertEqual(disk.size, sum(piece.length for piece in disk.pieces()))

    def test_tables_at_impossible_places(self) -> None:
        for offset, reason in (
            (2 * 65536 + 512, "said to be at"),
            (65536, "overlaps the L1 table"),
            (1 << 50, "said to be at"),
            (3 * 65536, "said to be at"),
        ):
            self.refused(disk_of(MIB, 16, [offset], [[0]]), reason)

    def test_clusters_at_impossible_places(self) -> None:
        for entry, reason in (
            (3 * 65536 + 512, "said to be at"),
            (1 << 50, "beyond the end"),
            (4 * 65536, "beyond the end"),
            (1 << 62 | 1 << 50, "beyond the end"),
        ):
            self.refused(disk_of(MIB, 16, [2 * 65536], [[entry]], clusters=1), reason)

    def test_a_table_that_is_its_own_data_is_read_as_data(self) -> None:
        chain, _ = self.disk(disk_of(65536, 16, [2 * 65536], [[2 * 65536]]))
        self.assertEqual((2 * 65536).to_bytes(8, "big"), joined(read_guest(chain))[:8])

    def test_zeros_in_version_2(self) -> None:
        data = bytearray(disk_of(MIB, 16, [2 * 65536], [[1]]))
        data[7] = 2
        self.refused(bytes(data), "version 2")

    def test_subclusters_that_are_both(self) -> None:
        for entry, states in ((3 * 65536, 1 | 1 << 32), (0, 1)):
            data = bytearray(disk_of(MIB, 16, [2 * 65536], [[entry, states]], clusters=1))
            data[72:80] = (16).to_bytes(8, "big")
            self.refused(bytes(data), "subcluster")

    def test_packed_data_that_unpacks_to_more_or_less(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -12)
        bomb = packer.compress(bytes(64 * MIB)) + packer.flush()
        self.assertEqual(bytes(65536), unpack(bomb, 65536, False))
        packer = zlib.compressobj(9, zlib.DEFLATED, -12)
        short = packer.compress(b"x" * 65535) + packer.flush()
        self.assertRaises(Damaged, unpack, short, 65536, False)


class Grown:
    """A file that goes on with zeros."""

    def __init__(self, source: CountedSource) -> None:
        self._start = source.read(0, 65536)
        self.size = source.size

    def read(self, offset: int, length: int) -> bytes:
        return self._start[offset : offset + length].ljust(length, b"\0")
