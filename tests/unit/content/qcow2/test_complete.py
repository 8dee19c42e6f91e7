"""The complete disk of a chain: a file that qemu-img finds faultless and equal, the same bytes each time."""

import os
import random
import tracemalloc
from typing import BinaryIO

import testtools

from glance_mini.content.qcow2.complete import CompleteDisk, RawDisk, make_index
from glance_mini.content.qcow2.errors import Damaged
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.guest import read_guest
from glance_mini.content.qcow2.header import read_header
from glance_mini.content.qcow2.source import FileSource
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import FilePart
from tests.unit.content.qcow2.disks import KIB, MIB, WITH_QEMU, CountedSource, DiskCase, Scattered, joined

SIZE = 3 * MIB

SUB_FORMATS = (
    *("", "compat=0.10", "cluster_size=512", "cluster_size=4k", "cluster_size=2M", "lazy_refcounts=on"),
    *("extended_l2=on,cluster_size=128k", "extended_l2=on,cluster_size=16k", "refcount_bits=1", "refcount_bits=64"),
    *("preallocation=metadata", "preallocation=falloc", "preallocation=full", "compression_type=zstd"),
)

COMPRESSED = (
    *("", "compat=0.10", "cluster_size=512", "cluster_size=4k", "cluster_size=2M", "compression_type=zstd"),
    *("compression_type=zstd,cluster_size=2M", "extended_l2=on,cluster_size=64k"),
)


class LocalSource(FileSource):
    """A file that can be opened again."""

    def local(self) -> BinaryIO:
        return open(self._file.name, "rb")


def _read(part: Chunk | FilePart) -> bytes:
    if isinstance(part, FilePart):
        return os.pread(part.file.fileno(), part.length, part.offset)
    return bytes(part)


@WITH_QEMU
class TestCompleteDisk(DiskCase):
    def check(self, *names: str) -> bytes:
        """Check the complete disk of a chain against the first file, which names the others; return its bytes."""
        chain = self.chain(*names)
        disk = CompleteDisk(chain)
        data = joined(disk.read())
        self.assertEqual(disk.size, len(data))
        (self.home / "complete").write_bytes(data)
        self.qemu_img("check", "-f", "qcow2", "complete")
        self.qemu_img(
            "compare", "-f", "qcow2", "-F", "raw" if names[0].endswith(".raw") else "qcow2", "complete", names[0]
        )
        guest = joined(read_guest(chain))
        self.same_bytes(self.guest(names[0]), guest.ljust(-(-len(guest) // 512) * 512, b"\0"))
        return data

    def test_every_sub_format_alone(self) -> None:
        self.raw("disk.raw", SIZE)
        for options in SUB_FORMATS:
            self.convert("disk.raw", "disk", options)
            self.write("disk", "write -P 7 70k 3k", "discard 1M 128k", "write -P 9 2M 64k")
            self.check("disk")

    def test_every_sub_format_compressed(self) -> None:
        self.raw("disk.raw", SIZE)
        for options in COMPRESSED:
            self.convert("disk.raw", "disk", options, "-c")
            self.check("disk")

    def test_parts_of_local_files_are_the_same_bytes(self) -> None:
        self.raw("disk.raw", SIZE)
        self.convert("disk.raw", "base", "", "-c")
        self.create("middle", "base")
        self.write("middle", "write -P 7 70k 300k", "write -z 1M 128k")
        self.create("top", "middle")
        self.write("top", "write -P 9 2M 64k", "write -P 8 300k 1k")
        levels = [Level(LocalSource((self.home / name).open("rb")), "qcow2") for name in ("top", "middle", "base")]
        for disk in (CompleteDisk(Chain(levels)), RawDisk(Chain(levels))):
            whole = joined(disk.read())
            for offset, length in ((0, disk.size), (70_001, disk.size - 140_000), (disk.size - 5, 5)):
                parts = disk.parts(offset, length)
                assert parts is not None
                self.same_bytes(whole[offset : offset + length], b"".join(map(_read, parts)))
            kept = [each for each in disk.parts(0, disk.size) or () if isinstance(each, FilePart)]
            self.assertGreater(sum(each.length for each in kept), 300 * KIB)
            self.assertTrue(all(each.file.closed for each in kept))
        self.assertIsNone(CompleteDisk(self.chain("top", "middle", "base")).parts(0, 1))

    def test_a_chain_of_three_with_all_cluster_sizes(self) -> None:
        self.raw("disk.raw", SIZE)
        for base, middle, top in (
            ("4k", "64k", "16k"),
            ("2M", "512", "64k"),
            ("64k", "4k", "2M"),
            ("512", "2M", "512"),
        ):
            self.convert("disk.raw", "base", f"cluster_size={base}", "-c")
            self.create("middle", "base", 4 * MIB, f"cluster_size={middle}")
            self.write("middle", "write -P 3 100k 20k", "write -z 1M 200k", "write -P 4 3500k 4k")
            self.create("top", "middle", 5 * MIB, f"cluster_size={top}")
            self.write("top", "write -P 5 110k 2k", "write -z 2000k 2k", "write -P 6 5119k 1k")
            self.check("top", "middle", "base")

    def test_a_chain_with_subclusters_at_the_top_and_below(self) -> None:
        self.raw("disk.raw", SIZE)
        self.convert("disk.raw", "base", "extended_l2=on,cluster_size=32k")
        self.create("middle", "base", None, "extended_l2=on,cluster_size=128k")
        self.write("middle", "write -P 3 100k 4k", "write -z 1M 12k", "write -P 4 108k 4k", "write -z 2M 4k")
        self.create("top", "middle", None, "extended_l2=on,cluster_size=64k")
        self.write("top", "write -P 5 110k 2k", "write -z 2000k 2k")
        self.check("top", "middle", "base")

    def test_a_raw_base_of_any_length(self) -> None:
        for size in (SIZE, SIZE - 1, 700, 5 * 512):
            self.raw("base.raw", size, pieces=5)
            self.create("top", "base.raw", "4M")
            self.write("top", "write -P 5 1M 2k")
            self.check("top", "base.raw")
            self.check("base.raw")

    def test_a_middle_that_ends_before_base_and_top_hides_the_end_of_the_base(self) -> None:
        self.raw("base.raw", SIZE)
        self.create("middle", "base.raw", 1 * MIB + 512)
        self.create("top", "middle", SIZE)
        self.check("top", "middle", "base.raw")

    def test_empty_disks(self) -> None:
        for size in (0, 512, SIZE, "1T"):
            self.create("disk", None, size)
            data = joined(CompleteDisk(self.chain("disk")).read())
            (self.home / "complete").write_bytes(data)
            self.qemu_img("check", "-f", "qcow2", "complete")
            self.assertEqual(
                read_header(self.source("disk")).virtual_size, read_header(CountedSource(data)).virtual_size
            )
            self.assertLess(len(data), MIB)

    def test_zeros_that_hide_data_stay_zeros_and_take_no_room(self) -> None:
        (self.home / "base.raw").write_bytes(b"x" * MIB)
        self.create("top", "base.raw")
        self.write("top", "write -z 0 512k")
        data = self.check("top", "base.raw")
        self.assertEqual(512 * KIB, len(data) - 5 * 64 * KIB)

    def test_the_bytes_are_the_same_with_and_without_index_and_of_what_chain_object_they_are_read(self) -> None:
        names = self.make_chain()
        first = joined(CompleteDisk(self.chain(*names)).read())
        index = make_index(self.chain(*names))
        self.same_bytes(first, joined(CompleteDisk(self.chain(*names), index).read()))
        self.assertEqual(index, make_index(self.chain(*names)))

    def test_every_range_is_the_slice_of_the_whole(self) -> None:
        names = self.make_chain()
        disk = CompleteDisk(self.chain(*names), make_index(self.chain(*names)))
        raw = RawDisk(self.chain(*names))
        whole, guest = joined(disk.read()), joined(raw.read())
        self.assertEqual((len(whole), len(guest)), (disk.size, raw.size))
        generator = random.Random(3)
        for _ in range(400):
            for made, data in ((disk, whole), (raw, guest)):
                start = generator.randrange(len(data))
                length = generator.choice((1, 7, 512, 4096, 65_537, MIB))
                self.same_bytes(data[start : start + length], joined(made.read(start, length)), (start, length))
        self.assertEqual(b"", joined(disk.read(disk.size)))
        self.same_bytes(whole[-1:], joined(disk.read(disk.size - 1, 5)))
        self.assertEqual(b"", joined(raw.read(raw.size + 5, 5)))

    def test_the_pieces_make_up_the_range_without_a_read_of_data(self) -> None:
        names = self.make_chain()
        index = make_index(self.chain(*names))
        chain, sources = self.counted(*names)
        disk = CompleteDisk(chain, index)
        self.assertEqual(disk.size, sum(piece.length for piece in disk.pieces()))
        self.assertLessEqual(sum(len(source.reads) for source in sources), 3)

    def make_chain(self) -> tuple[str, str, str]:
        """Make a chain of three in clusters of 64 KiB, the base compressed; return the names."""
        self.raw("disk.raw", SIZE)
        self.convert("disk.raw", "base", "compression_type=zstd", "-c")
        self.create("middle", "base", 4 * MIB)
        self.write("middle", "write -P 3 100k 20k", "write -z 1M 200k")
        self.create("top", "middle", 5 * MIB)
        self.write("top", "write -P 5 300k 200k", "write -z 2000k 2k")
        return "top", "middle", "base"

    def test_with_its_index_a_range_of_4_kib_takes_at_most_four_reads(self) -> None:
        names = self.make_chain()
        index = make_index(self.chain(*names))
        size = CompleteDisk(self.chain(*names), index).size
        most = 0
        for start in range(0, size, 4 * KIB):
            chain, sources = self.counted(*names)
            joined(CompleteDisk(chain, index).read(start, 4 * KIB))
            most = max(most, sum(len(source.reads) for source in sources))
        self.assertEqual(4, most)

    def test_what_lies_together_in_a_file_is_read_at_once(self) -> None:
        self.create("disk", None, "8M")
        self.write("disk", "write -P 5 0 8M")
        chain, (source,) = self.counted("disk")
        index = make_index(chain)
        source.reads.clear()
        joined(CompleteDisk(chain, index).read())
        self.assertLessEqual(len(source.reads), 8)

    def test_a_file_that_was_cut_off_is_never_read_as_something_else(self) -> None:
        self.raw("disk.raw", SIZE)
        for arguments in ((), ("-c",)):
            self.convert("disk.raw", "disk", "cluster_size=4k", *arguments)
            data, guest = (self.home / "disk").read_bytes(), self.guest("disk")
            for length in range(0, len(data), 65_521):
                chain = Chain([Level(CountedSource(data[:length]), "qcow2")])
                self.assertRaises(Damaged, lambda chain=chain: joined(CompleteDisk(chain).read()))
                self.check_beginning(chain, guest)

    def check_beginning(self, chain: Chain, guest: bytes) -> None:
        """Check that what can be read of a chain is the beginning of ``guest``, and that then an error comes."""
        position = 0
        try:
            for chunk in read_guest(chain):
                self.same_bytes(guest[position : position + len(chunk)], bytes(chunk))
                position += len(chunk)
        except Damaged:
            return
        self.fail("the end is missing and nothing was raised")


class TestMemory(testtools.TestCase):
    def test_a_fragmented_disk_takes_little_memory(self) -> None:
        chain = Chain([Level(Scattered(3 * 1024 * MIB), "qcow2")])
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        disk = CompleteDisk(chain, make_index(chain))
        for _ in disk.pieces(length=disk.size // 8):
            pass
        for _ in disk.read(disk.size // 2, 16 * MIB):
            pass
        self.assertLess(tracemalloc.get_traced_memory()[1], 20 * MIB)
