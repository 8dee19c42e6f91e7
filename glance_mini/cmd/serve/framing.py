"""Finds the end of a request head and the length of the body.

Two servers that find different ends can be made to see different requests ("smuggling"). Therefore everything that
RFC 9112 sections 2.2, 5.1 and 6 leave to the reader is refused: gunicorn refuses most of it, this module the rest.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from gunicorn.http.errors import (
    InvalidHeader,
    InvalidRequestLine,
    LimitRequestHeaders,
    UnsupportedTransferCoding,
)

from glance_mini_store.numbers import parse_number

HEAD_LIMIT = 64 * 1024
"""Bytes in a request head, the request line included."""

_FAULT = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HAS_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)
_REQUEST_LINE = re.compile(r"([^ ]+) ([^ ]+) HTTP/1\.([01])")


@dataclass(frozen=True)
class AnnouncedBody:
    """What a request head says about its body.

    `target` is the method and the decoded path, "PUT /path". `length` is in bytes, None if the body comes in chunks.
    `client_waits`: the client expects `100 Continue` before it sends its body.
    """

    target: str
    length: int | None
    client_waits: bool


def has_whole_head(data: bytearray, checked: int) -> bool:
    """Return whether `data` has all of a request head; its first `checked` bytes were checked before.

    Raises gunicorn's errors for bytes that no head has, without waiting for the rest, and for a head beyond HEAD_LIMIT.
    """
    end = data.find(b"\r\n\r\n", max(0, checked - 3))
    if end > HEAD_LIMIT or (end < 0 and len(data) > HEAD_LIMIT):
        raise LimitRequestHeaders(f"the request head is longer than {HEAD_LIMIT} bytes")
    if end >= 0:
        return True
    fault = _FAULT.search(data, max(0, checked - 1))
    if fault is not None:
        in_first_line = data.find(b"\r\n", 2, fault.start()) < 0
        raise (InvalidRequestLine if in_first_line else InvalidHeader)("control character")
    return False


def announced_body(head: bytes) -> AnnouncedBody | None:
    """Return the body that `head`, all of a request head, announces plainly; None if there is none.

    It only helps to choose when a request gets a thread. If it returns None for a head that is not plain, gunicorn and
    `body_length` refuse that head, or read it in their way.
    """
    if _HAS_BODY.search(head) is None:
        return None
    first, *lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    headers = [(name.lower(), value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
    framing = [(name, value) for name, value in headers if name in ("content-length", "transfer-encoding")]
    expected = [value.lower() for name, value in headers if name == "expect"]
    if request is None or len(framing) != 1 or set(expected) - {"100-continue"}:
        return None
    name, value = framing[0]
    is_chunked = name == "transfer-encoding"
    length = None if is_chunked else parse_number(value)
    if not (value.lower() == "chunked" and request[3] == "1" if is_chunked else length is not None):
        return None
    target = f"{request[1]} {unquote(request[2].partition('?')[0], 'latin-1')}"
    return AnnouncedBody(target, length, bool(expected) and request[3] == "1")


def body_length(headers: Iterable[tuple[str, str]]) -> int | None:
    """Return the length of the body by its headers (names in capitals), None if it comes in chunks.

    Raises InvalidHeader (400) or UnsupportedTransferCoding (501) unless there is exactly one way to read it.
    """
    lengths = [value for name, value in headers if name == "CONTENT-LENGTH"]
    codings = [value for name, value in headers if name == "TRANSFER-ENCODING"]
    if len(lengths) + len(codings) > 1:
        raise InvalidHeader("more than one header gives the length of the body")
    if codings:
        if codings[0].lower() != "chunked":
            raise UnsupportedTransferCoding(codings[0])
        return None
    if not lengths:
        return 0
    length = parse_number(lengths[0])
    if length is None:
        raise InvalidHeader("CONTENT-LENGTH")
    return length
