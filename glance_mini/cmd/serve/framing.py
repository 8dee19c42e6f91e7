"""Finds the end of a request head and the length of the body.

Two servers that find different ends can be made to see different requests ("smuggling"). Therefore everything that
RFC 9112 sections 2.2, 5.1 and 6 leave to the reader is refused: gunicorn refuses most of it, this module the rest.
"""

import re
from collections.abc import Iterable

from gunicorn.http.errors import (
    InvalidHeader,
    InvalidRequestLine,
    LimitRequestHeaders,
    UnsupportedTransferCoding,
)

HEAD_LIMIT = 64 * 1024
"""Bytes in a request head, the request line included."""

_FAULT = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LENGTH = re.compile(r"[0-9]{1,18}")


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
    if not _LENGTH.fullmatch(lengths[0]):
        raise InvalidHeader("CONTENT-LENGTH")
    return int(lengths[0])
