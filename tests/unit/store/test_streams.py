"""Parts of files, parts of streams, and hashes by the caller or by threads."""

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

from fixtures import TempDir
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.streams import BLOCK, FILE_BLOCK, FileRange, Hashes, cut

_FAULTS = """
import resource, sys
from glance_mini_store.buffers import give_freed_blocks_back
from glance_mini_store.streams import FileRange
give_freed_blocks_back()
data = FileRange(open(sys.argv[1], "rb", buffering=0), 0, 64 * 1024 * 1024)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for block in data:
    kept = block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


class TestFileRange(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = bytes(range(256)) * 8192 + b"end"
        self.path = Path(self.useFixture(TempDir()).path) / "file"
        self.path.write_bytes(self.data)

    def range(self, offset: int, length: int) -> FileRange:
        return FileRange(open(self.path, "rb", buffering=0), offset, length)

    def test_blocks_are_small_enough_for_their_memory_to_be_used_again(self) -> None:
        blocks = [len(block) for block in self.range(0, len(self.data))]
        self.assertEqual([*(2 * BLOCK // FILE_BLOCK * [FILE_BLOCK]), 3], blocks)

    def test_block_takes_no_new_pages_where_freed_memory_is_given_back(self) -> None:
        self.path.write_bytes(bytes(range(256)) * 256 * 1024)
        command = [sys.executable, "-c", _FAULTS, str(self.path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        # Read into new pages, 64 MiB would take 16,384.
        self.assertLess(int(done.stdout), 2000)

    def test_file_stands_at_the_offset_for_a_server_that_sends_it_itself(self) -> None:
        part = self.range(100, 10)
        self.assertEqual(100, part.file.tell())
        self.assertEqual(self.data[100:110], part.file.read(part.length))
        part.close()

    def test_file_is_closed_at_the_end(self) -> None:
        part = self.range(5, 10)
        self.assertEqual(self.data[5:15], b"".join(part))
        self.assertTrue(part.file.closed)

    def test_file_that_became_shorter_is_an_error_and_no_short_answer(self) -> None:
        part = self.range(0, len(self.data))
        next(part)
        self.path.write_bytes(b"")
        self.assertRaises(errors.SizeMismatch, next, part)
        self.assertTrue(part.file.closed)


class TestCut(TestCase):
    def test_every_part_of_a_stream_is_found(self) -> None:
        chunks = [b"abc", b"", b"defg", b"h"]
        whole = b"".join(chunks)
        for offset in range(9):
            for length in [None, *range(10)]:
                end = None if length is None else offset + length
                parts = list(cut(chunks, offset, length, "x://y"))
                self.assertEqual(whole[offset:end], b"".join(parts))
                self.assertNotIn(b"", parts)

    def test_nothing_is_read_behind_the_wanted_part(self) -> None:
        source = iter([b"abc", b"def", b"ghi"])
        self.assertEqual(b"cd", b"".join(cut(source, 2, 2, "x://y")))
        self.assertEqual([b"ghi"], list(source))

    def test_stream_that_ends_before_the_offset_is_an_invalid_range(self) -> None:
        self.assertRaises(errors.InvalidRange, list, cut([b"abc"], 4, None, "x://y"))


class TestHashes(TestCase):
    def test_digests_are_the_same_with_threads_and_without(self) -> None:
        blocks = [bytes([number]) * 100_000 for number in range(30)]
        whole = b"".join(blocks)
        wanted = {name: hashlib.new(name, whole).hexdigest() for name in ("md5", "sha512", "sha256")}
        for depth in (None, 1, 2, 16):
            hashes = Hashes(tuple(wanted), depth)
            for block in blocks:
                hashes.update(block)
            self.assertEqual(wanted, hashes.finish(), f"depth {depth}")

    def test_no_algorithm_gives_no_digest(self) -> None:
        hashes = Hashes((), 4)
        hashes.update(b"data")
        self.assertEqual({}, hashes.finish())

    def test_threads_end_whether_finished_or_given_up(self) -> None:
        before = threading.active_count()
        for give_up in (True, False):
            hashes = Hashes(("md5", "sha512"), 2)
            self.assertEqual(before + 2, threading.active_count())
            hashes.update(b"data")
            if not give_up:
                hashes.finish()
            hashes.close()
            hashes.close()
            self.assertEqual(before, threading.active_count())

    def test_error_in_a_thread_is_raised_at_the_end_and_blocks_nobody(self) -> None:
        hashes = Hashes(("md5",), 1)
        for _ in range(20):
            hashes.update("text")  # type: ignore[arg-type]
        self.assertRaises(TypeError, hashes.finish)

    def test_unknown_algorithm_is_named(self) -> None:
        for name in ("md6", "", "shake_128"):
            error = self.assertRaises(errors.UnknownHashingAlgo, Hashes, (name,))
            self.assertIn(repr(name), str(error))
