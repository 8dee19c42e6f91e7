"""What the import plugin image_decompression unpacks, and where it stops."""

import bz2
import gzip
import io
import lzma
import struct
import sys
import tracemalloc
import zipfile
import zlib
from dataclasses import replace

from glance_mini import conf
from glance_mini.domain.errors import LimitExceeded
from glance_mini.imports.plugins.decompression import ImageDecompression
from glance_mini.imports.plugins.unpacking import BadArchive
from glance_mini_store.buffers import Buffers
from tests.unit.jobs.staged import MIB, StagedCase, Stopped, go_on, stop

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = bytes(range(256)) * 10240 + b"the end"
BIG = 64 * MIB


def zipped(data, *, name="disk.img", method=zipfile.ZIP_DEFLATED, more=(), mode=0o644):
    """Return a zip archive of one file and ``more`` names of empty ones."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        entry = zipfile.ZipInfo(name)
        entry.compress_type = method
        entry.external_attr = mode << 16
        archive.writestr(entry, data)
        for each in more:
            archive.writestr(each, b"")
    return file.getvalue()


def gzip_with_name(data):
    """Return gzip data with the optional field for a file name (RFC 1952 section 2.3)."""
    file = io.BytesIO()
    with gzip.GzipFile("disk.img", "wb", fileobj=file) as packer:
        packer.write(data)
    return file.getvalue()


def bomb(stream):
    """Return BIG zeros compressed by ``stream``, an object with compress and flush, in little memory."""
    return b"".join([*(stream.compress(bytes(MIB)) for _ in range(BIG // MIB)), stream.flush()])


def with_dictionary(packed, exponent):
    """Return xz data that claims a dictionary of 2**(exponent / 2 + 12) bytes (xz file format, section 5.3.1)."""
    start, data = 12, bytearray(packed)
    end = start + data[start] * 4
    data[start + 4] = exponent
    data[end : end + 4] = zlib.crc32(data[start:end]).to_bytes(4, "little")
    return bytes(data)


class Stored:
    """Packs a bomb into a zip archive."""

    def __init__(self):
        self.file = io.BytesIO()
        self.archive = zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED)
        self.entry = self.archive.open("disk.img", "w")

    def compress(self, block):
        self.entry.write(block)
        return b""

    def flush(self):
        self.entry.close()
        self.archive.close()
        return self.file.getvalue()


PACKED = {
    "gzip": gzip.compress(DATA),
    "zip": zipped(DATA),
    "xz": lzma.compress(DATA),
    "bzip2": bz2.compress(DATA),
    "zstd": zstd.compress(DATA),
}

BOMBS = {
    "gzip": lambda: zlib.compressobj(wbits=31),
    "zip": Stored,
    "xz": lambda: lzma.LZMACompressor(preset=0),
    "bzip2": lambda: bz2.BZ2Compressor(1),
    "zstd": zstd.ZstdCompressor,
}


def skippable(size, number=0):
    """Return a skippable frame with ``size`` bytes (RFC 8878 section 3.1.2)."""
    return bytes([0x50 + number, 0x2A, 0x4D, 0x18]) + size.to_bytes(4, "little") + bytes(size)


def zip_of(deflated):
    """Return a zip archive of one empty file, whose compressed data is ``deflated``."""
    name, size = b"disk.img", len(deflated)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, size, 0, len(name), 0) + name
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, size, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local) + size, 0)
    return local + deflated + entry + end


def empty_blocks(count):
    """Return a zstd frame of ``count`` empty blocks (RFC 8878 section 3.1.1)."""
    return b"\x28\xb5\x2f\xfd\0\x58" + bytes(3) * (count - 1) + b"\1\0\0"


class TestDecompression(StagedCase):
    def apply(self, data, max_size=64 * MIB, check=go_on, **values):
        return ImageDecompression(max_size).apply(self.stage(data, **values), (), check)

    def refusal(self, data, error=BadArchive, **values):
        """Return the text with which ``data`` is refused; nothing is left behind."""
        text = str(self.assertRaises(error, self.apply, data, **values))
        self.assertEqual([], self.left())
        return text

    def test_each_format_is_unpacked_beside_the_staged_file(self):
        for name, packed in PACKED.items():
            result = self.apply(packed)
            self.assertEqual(DATA, result.path.read_bytes(), name)
            self.assertEqual({"size": len(DATA)}, result.attributes)
            self.assertEqual(packed, (self.home / "staged").read_bytes())

    def test_data_that_is_not_compressed_stays_where_it_is(self):
        for data in (b"", b"\x1f", b"PK", b"BZh9 is how this text begins", DATA):
            result = self.apply(data)
            self.assertEqual((self.home / "staged", {}), (result.path, result.attributes))

    def test_images_that_are_meant_to_be_compressed_stay_so(self):
        result = self.apply(PACKED["gzip"], container_format="compressed")
        self.assertEqual(self.home / "staged", result.path)

    def test_only_one_layer_is_unpacked(self):
        inner = PACKED["xz"]
        self.assertEqual(inner, self.apply(gzip.compress(inner)).path.read_bytes())

    def test_several_streams_in_one_file_are_one(self):
        for name in ("gzip", "xz", "bzip2", "zstd"):
            self.assertEqual(DATA + DATA, self.apply(PACKED[name] * 2).path.read_bytes(), name)
        padded = PACKED["gzip"] + bytes(300_000) + PACKED["gzip"] + bytes(5)
        self.assertEqual(DATA + DATA, self.apply(padded).path.read_bytes())

    def test_empty_data_is_unpacked_to_nothing(self):
        for packed in (gzip.compress(b""), lzma.compress(b""), bz2.compress(b""), zstd.compress(b""), zipped(b"")):
            result = self.apply(packed)
            self.assertEqual((b"", {"size": 0}), (result.path.read_bytes(), result.attributes))

    def test_data_that_ends_too_early_is_refused(self):
        for name, packed in PACKED.items():
            self.assertIn(name, self.refusal(packed[:-9]))
            self.refusal(packed[: len(packed) // 2])

    def test_damaged_data_is_refused(self):
        for name, packed in PACKED.items():
            middle = len(packed) // 2
            damaged = (
                packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 40]) + packed[middle + 40 :]
            )
            self.assertIn(f"The {name} data cannot be unpacked", self.refusal(damaged))
        self.refusal(PACKED["gzip"] + b"more")

    def test_a_bomb_of_each_format_stops_at_the_limit_in_bounded_memory(self):
        for name, new_stream in BOMBS.items():
            packed = bomb(new_stream())
            written = []

            def check(written=written):
                written.extend(path.stat().st_size for path in self.directory.iterdir())

            tracemalloc.start()
            text = self.refusal(packed, LimitExceeded, max_size=5 * MIB, check=check)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertIn(str(5 * MIB), text)
            self.assertLessEqual(max(written), 5 * MIB, name)
            self.assertLess(peak, 16 * MIB, name)

    def test_the_room_of_the_caller_is_a_limit_too(self):
        self.assertIn("1000", self.refusal(PACKED["gzip"], LimitExceeded, limit=1000))
        self.assertEqual(len(DATA), self.apply(PACKED["gzip"], len(DATA), limit=len(DATA)).attributes["size"])

    def test_each_legal_form_of_a_format_is_unpacked(self):
        forms = {
            "zstd after a skippable frame": skippable(4) + PACKED["zstd"],
            "zstd after many skippable frames": b"".join(skippable(n * 20000, n) for n in range(16)) + PACKED["zstd"],
            "zstd between skippable frames": skippable(0) + PACKED["zstd"] + skippable(9),
            "zstd without a checksum and a size": zstd.ZstdCompressor().compress(DATA, zstd.ZstdCompressor.FLUSH_FRAME),
            "zip with the mark of one segment": b"PK00" + PACKED["zip"],
            "zip with the mark of a split archive": b"PK\x07\x08" + PACKED["zip"],
            "gzip with a name": gzip_with_name(DATA),
            "xz without a check": lzma.compress(DATA, check=lzma.CHECK_NONE),
            "bzip2 with small blocks": bz2.compress(DATA, 1),
        }
        for form, packed in forms.items():
            self.assertEqual(DATA, self.apply(packed).path.read_bytes(), form)

    def test_skippable_frames_alone_are_empty_data(self):
        self.assertEqual(b"", self.apply(skippable(5) + skippable(0)).path.read_bytes())

    def test_skippable_frames_of_another_format_are_not_zstd(self):
        for rest in (b"\x04\x22\x4d\x18 is lz4", b"nothing that is known", DATA):
            self.assertEqual(self.home / "staged", self.apply(skippable(5) + rest).path)

    def test_an_empty_zip_archive_is_refused(self):
        self.assertIn("exactly one file", self.refusal(b"PK\5\6" + bytes(18)))

    def test_data_that_holds_nothing_does_not_keep_the_worker_from_its_checks(self):
        forms = {
            "empty zstd frames": zstd.compress(b"") * 100_000,
            "empty zstd blocks": empty_blocks(300_000),
            "skippable frames": skippable(0) * 100_000 + PACKED["zstd"],
            "empty blocks in a zip archive": zip_of(b"\0\0\0\xff\xff" * 300_000 + b"\3\0"),
            "empty gzip members": gzip.compress(b"") * 50_000,
            "empty xz streams": lzma.compress(b"") * 30_000,
            "empty bzip2 streams": bz2.compress(b"") * 70_000,
            **{f"padding after {name}": PACKED[name] + bytes(MIB) for name in ("gzip", "xz", "bzip2", "zstd")},
        }
        for form, packed in forms.items():
            checks = []
            self.apply(packed, check=lambda checks=checks: checks.append(None))
            most = MIB if "zip archive" in form else 128 * 1024
            self.assertGreater(len(checks), len(packed) // most, form)
            self.stop_after(len(checks) // 2, packed)

    def stop_after(self, count, packed):
        """Stop at check ``count``: then no further one may come, and nothing is left."""
        checks = iter(range(count))
        self.refusal(packed, Stopped, check=lambda: stop() if next(checks, None) is None else None)

    def test_unpacking_that_is_stopped_leaves_nothing(self):
        self.refusal(PACKED["gzip"], Stopped, check=stop)

    def test_windows_that_need_too_much_memory_are_refused(self):
        wide = {zstd.CompressionParameter.window_log: 28, zstd.CompressionParameter.checksum_flag: 1}
        stream = zstd.ZstdCompressor(options=wide)
        self.assertIn("zstd", self.refusal(stream.compress(DATA) + stream.flush()))
        self.assertIn("Memory usage limit", self.refusal(with_dictionary(PACKED["xz"], 38)))
        self.assertEqual(DATA, self.apply(with_dictionary(PACKED["xz"], 28)).path.read_bytes())

    def test_windows_come_from_the_budget_of_memory(self):
        wide = with_dictionary(PACKED["xz"], 28)
        for budget, is_enough in ((64 + 16, False), (96 + 16, True)):
            staged = replace(self.stage(wide), buffers=Buffers(budget * MIB, 0))
            plugin = ImageDecompression(64 * MIB)
            if is_enough:
                self.assertEqual(DATA, plugin.apply(staged, (), go_on).path.read_bytes())
            else:
                self.assertIn("Memory usage", str(self.assertRaises(BadArchive, plugin.apply, staged, (), go_on)))
            self.give_back(staged.buffers)

    def give_back(self, buffers):
        """All of the budget must be free again."""
        with buffers.share(buffers.limit):
            pass

    def test_a_zip_archive_must_hold_one_plain_file(self):
        self.assertIn("one file", self.refusal(zipped(DATA, more=["other"])))
        self.assertIn("one file", self.refusal(zipped(b"", name="directory/")))
        self.assertIn("method", self.refusal(zipped(DATA, method=zipfile.ZIP_LZMA)))
        self.assertEqual(DATA, self.apply(zipped(DATA, method=zipfile.ZIP_STORED)).path.read_bytes())

    def test_a_zip_archive_that_names_a_place_outside_is_refused(self):
        for name in ("/etc/passwd", "../disk.img", "a/../../b", "..\\disk.img", "\\disk.img"):
            self.assertIn("outside", self.refusal(zipped(DATA, name=name)))
        self.assertIn("outside", self.refusal(zipped(b"/etc/passwd", mode=0o120777)))

    def test_an_encrypted_zip_archive_is_refused(self):
        data = bytearray(zipped(DATA))
        data[6] |= 1
        directory = data.rindex(b"PK\x01\x02")
        data[directory + 8] |= 1
        self.assertIn("encrypted", self.refusal(bytes(data)))

    def test_a_zip_archive_with_a_huge_directory_is_refused(self):
        data = zipped(DATA)
        end = data.rindex(b"PK\x05\x06")
        directory = data.rindex(b"PK\x01\x02")
        size = 4 * MIB + end - directory
        filled = data[:end] + bytes(4 * MIB) + data[end : end + 12] + size.to_bytes(4, "little") + data[end + 16 :]
        self.assertIn("directory is too large", self.refusal(filled))

    def test_the_limit_comes_from_the_configuration(self):
        configuration = conf.load()
        configuration.set_override("max_size", 1000, "image_decompression")
        plugin = ImageDecompression.from_config(configuration)
        self.assertRaises(LimitExceeded, plugin.apply, self.stage(PACKED["gzip"]), (), go_on)
