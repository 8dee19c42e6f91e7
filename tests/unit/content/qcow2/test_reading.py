"""Reading of pieces: what is read together, what is streamed, and what is kept."""

import random
from concurrent.futures import ThreadPoolExecutor

from glance_mini.content.qcow2.complete import CompleteDisk, make_index
from glance_mini.content.qcow2.errors import Damaged
from glance_mini.content.qcow2.extents import Chain, Level
from glance_mini.content.qcow2.guest import read_guest
from tests.unit.content.qcow2.disks import KIB, MIB, WITH_QEMU, CountedSource, DiskCase, StreamedSource, joined


class TestStreams(DiskCase):
    def source(self, size: int = 20 * MIB) -> StreamedSource:  # type: ignore[override]
        return StreamedSource(random.Random(1).randbytes(MIB) * (size // MIB))

    def test_a_long_run_is_one_stream(self) -> None:
        source = self.source()
        chain = Chain([Level(source, "raw")])
        disk = CompleteDisk(chain, make_index(chain))
        whole = joined(disk.read())
        self.same_bytes(joined(source.stream(0, source.size)), whole[-source.size :])
        self.assertEqual(([], 2, 2), (source.reads, len(source.streams), source.closed))

    def test_a_short_range_is_a_read(self) -> None:
        source = self.source()
        joined(read_guest(Chain([Level(source, "raw")]), 5, 8 * MIB - 1))
        self.assertEqual([], source.streams)

    def test_a_reader_that_goes_away_closes_the_stream(self) -> None:
        source = self.source()
        chunks = read_guest(Chain([Level(source, "raw")]))
        next(chunks)
        self.assertEqual(0, source.closed)
        chunks.close()  # type: ignore[attr-defined]
        self.assertEqual(1, source.closed)

    def test_a_stream_that_ends_too_early_is_an_error(self) -> None:
        source = self.source()
        source.size += 1
        self.assertRaises(Damaged, joined, read_guest(Chain([Level(source, "raw")])))


@WITH_QEMU
class TestReading(DiskCase):
    def test_small_pieces_near_each_other_are_one_read(self) -> None:
        self.create("top", None, "16M", "cluster_size=4k")
        self.write("top", *(f"write -P 5 {number * 8}k 4k" for number in range(200)))
        chain, (source,) = self.counted("top")
        list(chain.runs())
        source.reads.clear()
        self.same_bytes(self.guest("top"), joined(read_guest(chain)))
        self.assertLessEqual(len(source.reads), 3)

    def test_a_large_packed_cluster_below_small_ones_is_read_and_unpacked_few_times(self) -> None:
        self.raw("disk.raw", 2 * MIB, pieces=3)
        self.convert("disk.raw", "base", "cluster_size=2M", "-c")
        self.create("top", "base", None, "cluster_size=4k")
        self.write("top", *(f"write -P 5 {number * 8}k 4k" for number in range(250)))
        chain, (_, base) = self.counted("top", "base")
        list(chain.runs())
        base.reads.clear()
        self.same_bytes(self.guest("top"), joined(read_guest(chain)))
        self.assertEqual(1, len(base.reads))

    def test_many_threads_read_one_chain(self) -> None:
        self.raw("disk.raw", 3 * MIB)
        self.convert("disk.raw", "base", "cluster_size=4k", "-c")
        self.create("top", "base")
        self.write("top", "write -P 5 1M 100k")
        data = [CountedSource((self.home / name).read_bytes()) for name in ("top", "base")]
        disk = CompleteDisk(Chain([Level(source, "qcow2") for source in data], 2 * 64 * KIB))
        whole = joined(CompleteDisk(self.chain("top", "base")).read())

        def read(seed: int) -> bool:
            generator = random.Random(seed)
            for _ in range(20):
                start = generator.randrange(disk.size)
                if whole[start : start + 100_000] != joined(disk.read(start, 100_000)):
                    return False
            return True

        with ThreadPoolExecutor(16) as pool:
            self.assertEqual({True}, set(pool.map(read, range(32))))

    def test_chains_of_any_shape(self) -> None:
        generator = random.Random(5)
        for number in range(10):
            names = self.make_any_chain(generator, number)
            chain = self.chain(*names)
            disk = CompleteDisk(chain, make_index(chain))
            data = joined(disk.read())
            (self.home / "complete").write_bytes(data)
            self.qemu_img("check", "-f", "qcow2", "complete")
            self.same_bytes(self.guest(names[0]), joined(read_guest(chain)), names)
            self.same_bytes(self.guest(names[0]), self.guest("complete"), names)

    def make_any_chain(self, generator: random.Random, number: int) -> list[str]:
        """Make a chain of two to five levels by chance; return the names."""
        size = generator.randrange(1, 6 * 2048) * 512
        names = [f"base{number}.raw"]
        self.raw(names[0], size, seed=number, pieces=min(8, size // 512))
        if generator.random() < 0.7:
            self.convert(names[0], f"base{number}", _any_options(generator), *generator.choice(((), ("-c",))))
            names = [f"base{number}"]
        for level in range(generator.randrange(1, 5)):
            size += generator.choice((0, 0, 512, 300 * KIB))
            self.create(f"level{number}-{level}", names[0], size, _any_options(generator))
            names.insert(0, f"level{number}-{level}")
            commands = []
            for _ in range(generator.randrange(6)):
                start = generator.randrange(size // 512) * 512
                length = min(size - start, generator.randrange(1, 400) * 512)
                commands.append(
                    generator.choice((f"write -P {level + 1}", "write -z", "discard")) + f" {start} {length}"
                )
            if commands:
                self.write(names[0], *commands)
        return names


def _any_options(generator: random.Random) -> str:
    size = generator.choice(("512", "4k", "16k", "64k", "64k", "2M"))
    options = [f"cluster_size={size}", generator.choice(("compression_type=zstd", "compression_type=zlib"))]
    if size in ("16k", "64k", "2M") and generator.random() < 0.4:
        options.append("extended_l2=on")
    return ",".join(options)
