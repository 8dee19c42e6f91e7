"""Chunks whose end is told, whoever sent them."""

import os
import tempfile
from collections.abc import Iterator

import testtools

from glance_mini.content.counted import WatchedChunks
from glance_mini_store.streams import FileRange

DATA = b"0123456789"


class TestWatched(testtools.TestCase):
    def watch(self, chunks: Iterator[bytes]) -> WatchedChunks:
        self.told: list[int] = []
        return WatchedChunks(chunks, self.told.append)

    def make_file(self, offset: int = 2, length: int = 6) -> FileRange:
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        os.write(handle, DATA)
        os.close(handle)
        return FileRange(open(path, "rb", buffering=0), offset, length)

    def test_the_bytes_that_went_out_are_told_once_at_the_end(self) -> None:
        watched = self.watch(iter([b"ab", b"", b"cde"]))
        self.assertEqual([b"ab", b"", b"cde"], list(watched))
        self.assertEqual([], self.told)
        watched.close()
        watched.close()
        self.assertEqual([5], self.told)

    def test_an_early_end_tells_what_went_out_by_then(self) -> None:
        watched = self.watch(iter([b"ab", b"cde"]))
        next(watched)
        watched.close()
        self.assertEqual([2], self.told)

    def test_chunks_nobody_asked_for_are_none(self) -> None:
        self.watch(iter([b"ab"])).close()
        self.assertEqual([0], self.told)

    def test_what_a_server_sent_from_the_file_is_told_by_its_position(self) -> None:
        for sent in (0, 4, 6):
            watched = self.watch(self.make_file())
            assert watched.file is not None
            watched.file.read(sent)
            watched.close()
            self.assertEqual([sent], self.told)

    def test_a_file_read_as_chunks_is_counted_by_its_chunks(self) -> None:
        watched = self.watch(self.make_file())
        self.assertEqual(DATA[2:8], b"".join(watched))
        watched.close()
        self.assertEqual([6], self.told)

    def test_closing_closes_the_file(self) -> None:
        source = self.make_file()
        self.watch(source).close()
        self.assertTrue(source.file.closed)

    def test_one_that_is_watched_twice_tells_both(self) -> None:
        outer: list[int] = []
        watched = WatchedChunks(self.watch(self.make_file()), outer.append)
        assert watched.file is not None
        self.assertEqual((2, 6), (watched.offset, watched.length))
        watched.file.read(3)
        watched.close()
        self.assertEqual(([3], [3]), (outer, self.told))

    def test_the_watched_end_before_it_is_told(self) -> None:
        order: list[str] = []

        def chunks() -> Iterator[bytes]:
            try:
                yield b"ab"
            finally:
                order.append("ended")

        watched = WatchedChunks(chunks(), lambda sent: order.append("told"))
        next(watched)
        watched.close()
        self.assertEqual(["ended", "told"], order)
