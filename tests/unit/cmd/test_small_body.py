"""When a small body is complete, however its bytes arrive."""

import random

import testtools

from glance_mini.cmd.serve.framing import AnnouncedBody, announced_body
from glance_mini.cmd.serve.small_body import OVERHEAD_LIMIT, SmallBody

LIMIT = 1000
LAST = b"0\r\nX-Trailer: a\r\n\r\n"


def chunked(data: bytes, size: int) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%X;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


class SmallBodyTest(testtools.TestCase):
    def completed_at(self, data: bytes, piece: int, length: int | None = None) -> int | None:
        """Return after how many bytes the body was complete; it arrives in pieces of ``piece`` bytes."""
        body = SmallBody(AnnouncedBody("POST /", length, False), LIMIT)
        for start in range(0, len(data), piece):
            body.data += data[start : start + piece]
            if body.is_complete:
                return len(body.data)
        return None

    def test_chunked_body_ends_with_its_trailers_in_whatever_pieces_it_comes(self) -> None:
        for size in (1, 2, 7, 100, 1000):
            data = chunked(b"\r\n0\r\n" * 100, size) + LAST
            for piece in (1, 2, 3, 50, 100_000):
                self.assertEqual(len(data), self.completed_at(data, piece), (size, piece))
                self.assertIsNone(self.completed_at(data[:-1], piece), (size, piece))

    def test_fixed_body_ends_with_its_length(self) -> None:
        self.assertEqual(10, self.completed_at(b"x" * 20, 1, 10))
        self.assertIsNone(self.completed_at(b"x" * 9, 1, 10))

    def test_one_byte_beyond_the_limit_completes_a_chunked_body_and_an_announcement_does_not(self) -> None:
        head = b"fffff\r\n"
        self.assertIsNone(self.completed_at(head + b"x" * LIMIT, 1))
        self.assertEqual(len(head) + LIMIT + 1, self.completed_at(head + b"x" * 2 * LIMIT, 1))

    def test_faults_complete_a_body_so_that_they_are_answered_at_once(self) -> None:
        for fault in (b"xyz\r\n", b"\r\n", b"5\n", b"-5\r\n", b"5;" + b"a" * 2000, b"0\r\n" + b"a: b\r\n" * 5000):
            self.assertIsNotNone(self.completed_at(chunked(b"abc", 2) + fault, 1000), fault[:20])

    def test_random_bytes_end_somewhere_or_wait_and_never_fail(self) -> None:
        source = random.Random(1)
        for _ in range(2000):
            data = bytes(source.choices(b"0123\r\n;ax", k=60))
            self.assertEqual(self.completed_at(data, 1) is None, self.completed_at(data, 60) is None, data)

    def test_framing_has_a_bound_of_its_own(self) -> None:
        body = SmallBody(AnnouncedBody("POST /", None, False), 10**9)
        body.data += b"1\r\nx\r\n" * (OVERHEAD_LIMIT // 5 + 1)
        self.assertTrue(body.is_complete)
        self.assertIsInstance(body.failure, ConnectionError)


class AnnouncedBodyTest(testtools.TestCase):
    def announced(self, *lines: str) -> AnnouncedBody | None:
        return announced_body("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def test_plain_heads_are_understood(self) -> None:
        self.assertEqual(
            AnnouncedBody("PUT /a b", 5, False), self.announced("PUT /a%20b?c HTTP/1.1", "content-length:5")
        )
        self.assertEqual(
            AnnouncedBody("POST /", None, True),
            self.announced("POST / HTTP/1.1", "Transfer-Encoding: CHUNKED", "Expect: 100-Continue"),
        )
        self.assertEqual(AnnouncedBody("M-X /", 5, False), self.announced("", "M-X / HTTP/1.0", "Content-Length: 5"))

    def test_other_heads_are_left_to_those_who_refuse_them(self) -> None:
        for lines in (
            ("GET / HTTP/1.1", "Host: a"),
            ("POST / HTTP/1.1", "Content-Length: 5", "Content-Length: 5"),
            ("POST / HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"),
            ("POST / HTTP/1.0", "Transfer-Encoding: chunked"),
            ("POST / HTTP/1.1", "Transfer-Encoding: gzip"),
            ("POST / HTTP/1.1", "Content-Length: +5"),
            ("POST / HTTP/1.1", "Content-Length: 5", "Expect: more"),
            ("POST / HTTP/2.0", "Content-Length: 5"),
        ):
            self.assertIsNone(self.announced(*lines), lines)
