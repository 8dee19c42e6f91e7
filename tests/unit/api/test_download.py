"""The way of a download's bytes to the server."""

import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO
from wsgiref.util import FileWrapper

import testtools

from glance_mini.api.download import SentChunks, download_body
from glance_mini.content.counted import CountedStream
from glance_mini_store.streams import FileRange


class Chunks(Iterator[bytes]):
    """Two blocks that know whether they were closed."""

    def __init__(self) -> None:
        self._left = [b"ab", b"cd"]
        self.closed = 0

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        return self._left.pop(0)

    def close(self) -> None:
        self.closed += 1


class TestDownloadBody(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ended: list[str] = []

    def _end(self) -> None:
        self.ended.append("end")

    def _file(self, data: bytes) -> BinaryIO:
        file = self.enterContext(tempfile.TemporaryFile())
        file.write(data)
        file.flush()
        return file

    def test_chunks_pass_and_closing_ends_them(self) -> None:
        chunks = Chunks()
        body = download_body({}, chunks, True, self._end)
        self.assertEqual(b"abcd", b"".join(body))
        body.close()
        self.assertEqual((1, ["end"]), (chunks.closed, self.ended))

    def test_a_whole_file_is_given_to_a_server_that_can_send_files(self) -> None:
        file = self._file(b"0123456789")
        body = download_body({"wsgi.file_wrapper": FileWrapper}, FileRange(file, 0, 10), True, self._end)
        self.assertIsInstance(body, FileWrapper)
        self.assertEqual(file.fileno(), body.filelike.fileno())
        self.assertEqual(0, os.lseek(body.filelike.fileno(), 0, os.SEEK_CUR))
        self.assertEqual(b"0123456789", b"".join(body))
        body.close()
        self.assertEqual(["end"], self.ended)
        self.assertTrue(file.closed)

    def test_bytes_of_a_file_that_a_server_sent_count_also_where_it_puts_the_descriptor_back(self) -> None:
        told: list[int] = []
        chunks = CountedStream(FileRange(self._file(b"0123456789"), 0, 10), told.append)
        body = download_body({"wsgi.file_wrapper": FileWrapper}, chunks, True, self._end)
        body.filelike.seek(4)  # as socket.sendfile tells how far it came
        os.lseek(body.filelike.fileno(), 0, os.SEEK_SET)  # as gunicorn does afterwards
        body.close()
        self.assertEqual([4], told)

    def test_a_part_of_a_file_is_sent_block_by_block(self) -> None:
        file = self._file(b"0123456789")
        body = download_body({"wsgi.file_wrapper": FileWrapper}, FileRange(file, 2, 3), False, self._end)
        self.assertIsInstance(body, SentChunks)
        self.assertEqual(b"234", b"".join(body))

    def test_a_server_without_file_wrapper_gets_blocks(self) -> None:
        body = download_body({}, FileRange(self._file(b"0123456789"), 0, 10), True, self._end)
        self.assertEqual(b"0123456789", b"".join(body))
        body.close()
        self.assertEqual(["end"], self.ended)

    def test_the_slot_is_given_back_even_where_closing_fails(self) -> None:
        class Broken(Chunks):
            def close(self) -> None:
                raise OSError("broken")

        body = download_body({}, Broken(), True, self._end)
        self.assertRaises(OSError, body.close)
        self.assertEqual(["end"], self.ended)
