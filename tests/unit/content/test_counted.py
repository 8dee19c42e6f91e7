"""Streams whose bytes are counted, whoever sends them."""

import os
import tempfile
from collections.abc import Iterator

import testtools

from glance_mini.content.counted import CountedStream
from glance_mini_store.streams import FileRange

DATA = b"0123456789"


class TestCountedStream(testtools.TestCase):
    def count(self, chunks: Iterator[bytes]) -> CountedStream:
        self.reports: list[int] = []
        return CountedStream(chunks, self.reports.append)

    def make_file(self, offset: int = 2, length: int = 6) -> FileRange:
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        os.write(handle, DATA)
        os.close(handle)
        return FileRange(open(path, "rb", buffering=0), offset, length)

    def test_the_bytes_that_went_out_are_reported_once_at_the_end(self) -> None:
        stream = self.count(iter([b"ab", b"", b"cde"]))
        self.assertEqual([b"ab", b"", b"cde"], list(stream))
        self.assertEqual([], self.reports)
        stream.close()
        stream.close()
        self.assertEqual([5], self.reports)

    def test_an_early_end_reports_what_went_out_by_then(self) -> None:
        stream = self.count(iter([b"ab", b"cde"]))
        next(stream)
        stream.close()
        self.assertEqual([2], self.reports)

    def test_chunks_that_nobody_asked_for_do_not_count(self) -> None:
        self.count(iter([b"ab"])).close()
        self.assertEqual([0], self.reports)

    def test_what_a_server_sent_from_the_file_is_known_from_its_position(self) -> None:
        for sent in (0, 4, 6):
            stream = self.count(self.make_file())
            assert stream.file is not None
            stream.file.read(sent)
            stream.close()
            self.assertEqual([sent], self.reports)

    def test_a_file_read_as_chunks_is_counted_by_its_chunks(self) -> None:
        stream = self.count(self.make_file())
        self.assertEqual(DATA[2:8], b"".join(stream))
        stream.close()
        self.assertEqual([6], self.reports)

    def test_closing_closes_the_file(self) -> None:
        source = self.make_file()
        self.count(source).close()
        self.assertTrue(source.file.closed)

    def test_stream_that_is_counted_twice_reports_twice(self) -> None:
        outer: list[int] = []
        stream = CountedStream(self.count(self.make_file()), outer.append)
        assert stream.file is not None
        self.assertEqual((2, 6), (stream.offset, stream.length))
        stream.file.read(3)
        stream.close()
        self.assertEqual(([3], [3]), (outer, self.reports))

    def test_the_chunks_end_before_the_report(self) -> None:
        order: list[str] = []

        def chunks() -> Iterator[bytes]:
            try:
                yield b"ab"
            finally:
                order.append("ended")

        stream = CountedStream(chunks(), lambda sent: order.append("reported"))
        next(stream)
        stream.close()
        self.assertEqual(["ended", "reported"], order)
