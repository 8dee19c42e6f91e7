"""Bodies of requests: framing, counting, and what becomes of failures while reading."""

import io
from collections.abc import Iterator
from typing import Any

import testtools

from glance_mini.api import body
from glance_mini.api.errors import BodyTooLarge, LengthRequired, UnknownTransferCoding
from glance_mini.domain.errors import BodyTimeout, ClientGone, Invalid


class Trickle:
    """A stream that never gives as much as it is asked for, as some servers do."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        self.asked: list[int] = []

    def read(self, size: int = -1) -> bytes:
        self.asked.append(size)
        return self._stream.read(min(size, 3))


class Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error


class BreakingOff(io.RawIOBase):
    """A connection that breaks after three bytes."""

    def __init__(self) -> None:
        self._left = [b"012"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            raise ConnectionResetError
        data = self._left.pop()
        buffer[: len(data)] = data
        return len(data)


def environ(stream: Any, length: object = "", coding: str = "", **more: Any) -> dict[str, Any]:
    values = {"REQUEST_METHOD": "PUT", "wsgi.input": stream, "CONTENT_LENGTH": str(length), **more}
    return values | ({"HTTP_TRANSFER_ENCODING": coding} if coding else {})


def read_chunks(given: dict[str, Any]) -> Iterator[bytes]:
    """Return the chunks of a body that is read into two blocks of four bytes."""
    chunks = body.read_chunks(given, [memoryview(bytearray(4)) for _ in range(2)])
    return (bytes(chunk) for chunk in chunks)


class TestFixedLength(testtools.TestCase):
    def test_short_reads_are_gone_on_with(self) -> None:
        stream = Trickle(b"0123456789")
        self.assertEqual(b"01234567", b"".join(read_chunks(environ(stream, 8))))
        self.assertEqual([4, 1, 4, 1], stream.asked)

    def test_the_blocks_are_filled_in_turn(self) -> None:
        for stream in (io.BytesIO(b"0123456789"), Trickle(b"0123456789")):
            blocks = [memoryview(bytearray(4)) for _ in range(2)]
            chunks = body.read_chunks(environ(stream, 10), blocks)
            self.assertEqual([b"0123", b"4567"], [bytes(next(chunks)) for _ in range(2)])
            self.assertEqual([b"0123", b"4567"], [bytes(block) for block in blocks])
            self.assertEqual(b"89", bytes(next(chunks)))
            self.assertEqual([b"8923", b"4567"], [bytes(block) for block in blocks])
            self.assertRaises(StopIteration, next, chunks)

    def test_an_early_end_is_the_clients_fault(self) -> None:
        self.assertRaises(ClientGone, list, read_chunks(environ(io.BytesIO(b"abc"), 4)))

    def test_no_bytes_are_read_of_an_empty_body(self) -> None:
        self.assertEqual([], list(read_chunks(environ(Failing(OSError()), 0))))

    def test_strange_lengths_are_refused(self) -> None:
        for length in ("+3", "-3", "1_0", " 3", "3 ", "0x3", "3,3", "٣", "9" * 19):
            with self.subTest(length):
                self.assertRaises(Invalid, read_chunks, environ(io.BytesIO(), length))

    def test_a_length_beside_a_coding_is_refused(self) -> None:
        self.assertRaises(Invalid, read_chunks, environ(io.BytesIO(), 3, "chunked"))


class TestChunked(testtools.TestCase):
    def test_chunks_end_where_the_server_says(self) -> None:
        given = environ(io.BytesIO(b"abc"), coding="chunked", **{"wsgi.input_terminated": True})
        self.assertEqual(b"abc", b"".join(read_chunks(given)))

    def test_chunks_are_refused_where_their_end_cannot_be_known(self) -> None:
        self.assertRaises(LengthRequired, read_chunks, environ(io.BytesIO(b"abc"), coding="chunked"))
        self.assertRaises(LengthRequired, read_chunks, environ(io.BytesIO(b"abc")))

    def test_other_codings_are_refused(self) -> None:
        for coding in ("gzip, chunked", "gzip", "identity", "chunked, chunked", "xchunked"):
            with self.subTest(coding):
                given = environ(io.BytesIO(), coding=coding, **{"wsgi.input_terminated": True})
                self.assertRaises(UnknownTransferCoding, read_chunks, given)


class TestFailures(testtools.TestCase):
    def test_a_time_out_is_told_from_a_client_that_is_gone(self) -> None:
        for error, expected in (
            (TimeoutError(), BodyTimeout),
            (ConnectionResetError(), ClientGone),
            (OSError("x"), ClientGone),
            (ValueError("bad chunk"), ClientGone),
            (KeyError(), ClientGone),
        ):
            with self.subTest(error):
                raised = self.assertRaises(ClientGone, list, read_chunks(environ(Failing(error), 3)))
                self.assertIs(expected, type(raised))

    def test_what_arrived_before_a_connection_broke_is_a_chunk(self) -> None:
        chunks = body.read_chunks(environ(io.BufferedReader(BreakingOff(), 2), 8), [memoryview(bytearray(8))])
        self.assertEqual(b"012", bytes(next(chunks)))
        self.assertRaises(ClientGone, next, chunks)


class TestReadAll(testtools.TestCase):
    def test_a_body_that_is_known_to_be_too_large_is_not_read(self) -> None:
        self.assertRaises(BodyTooLarge, body.read_all, environ(Failing(OSError()), 11), 10)

    def test_a_request_without_any_body_has_none(self) -> None:
        self.assertEqual(b"", body.read_all(environ(Failing(OSError())), 10))

    def test_a_body_of_the_limit_is_whole(self) -> None:
        self.assertEqual(b"0123456789", body.read_all(environ(io.BytesIO(b"0123456789"), 10), 10))

    def test_a_body_in_chunks_is_not_read_much_beyond_the_limit(self) -> None:
        stream = Trickle(b"0123456789abcdef")
        chunked = environ(stream, coding="chunked") | {"wsgi.input_terminated": True}
        self.assertRaises(BodyTooLarge, body.read_all, chunked, 10)
        self.assertEqual([11, 8, 5, 2], stream.asked)
        stream = Trickle(b"0123456789")
        self.assertEqual(b"0123456789", body.read_all(chunked | {"wsgi.input": stream}, 10))

    def test_a_body_in_chunks_without_a_known_end_is_refused(self) -> None:
        self.assertRaises(LengthRequired, body.read_all, environ(io.BytesIO(b"1"), coding="chunked"), 10)


class TestHasBody(testtools.TestCase):
    def test_only_some_methods_have_a_body_in_chunks(self) -> None:
        for method, expected in (("PUT", True), ("POST", True), ("PATCH", True), ("GET", False), ("DELETE", False)):
            with self.subTest(method):
                self.assertIs(expected, body.has_body(environ(None, coding="chunked") | {"REQUEST_METHOD": method}))

    def test_a_length_of_zero_is_no_body(self) -> None:
        self.assertFalse(body.has_body(environ(None, 0)))
        self.assertTrue(body.has_body(environ(None, 1) | {"REQUEST_METHOD": "DELETE"}))
