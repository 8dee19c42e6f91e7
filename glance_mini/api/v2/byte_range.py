"""Which bytes of an image a download asks for (reference 5.2, RFC 9110 section 14)."""

import re
from typing import NamedTuple

from glance_mini.api.errors import MalformedRange
from glance_mini.domain.errors import Invalid

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:\*|[0-9]{1,18})")


class ByteRange(NamedTuple):
    """Byte positions, both inclusive; ``first`` None: the last ``last`` bytes, ``last`` None: to the end."""

    first: int | None
    last: int | None


WHOLE = ByteRange(None, None)


def parse_byte_range(range_header: str | None, content_range: str | None) -> ByteRange:
    """Return the range that the headers ask for, WHOLE where there is none.

    ``Content-Range`` in a request is the historic way to say the same. Raises Invalid for several ranges,
    MalformedRange for what cannot be understood.
    """
    if range_header is not None:
        if "," in range_header:
            raise Invalid(reason="Only one range can be served at a time.")
        return _parse(_RANGE.fullmatch(range_header.strip()), range_header)
    if content_range is not None:
        return _parse(_CONTENT_RANGE.fullmatch(content_range.strip()), content_range)
    return WHOLE


def _parse(match: re.Match[str] | None, text: str) -> ByteRange:
    if match is None:
        raise MalformedRange(range=text)
    first, last = (int(part) if part else None for part in match.groups())
    if (first is None and last is None) or (first is not None and last is not None and first > last):
        raise MalformedRange(range=text)
    return ByteRange(first, last)
