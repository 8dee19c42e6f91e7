"""Whole numbers from other programs: 0 to 2^63-1 everywhere (api-images-filters)."""

LARGEST = 2**63 - 1
"""The largest number in a header or a query, and the largest that a database holds."""

_DIGITS = len(str(LARGEST))

HEXADECIMAL = rb"0*[0-7]?[0-9A-Fa-f]{1,15}"
"""The pattern of a number from 0 to LARGEST in hexadecimal digits."""


def parse_number(text: str) -> int | None:
    """Return the number that ``text`` writes in ASCII digits; None if it is not one from 0 to LARGEST."""
    if not (text.isascii() and text.isdigit()) or len(text.lstrip("0")) > _DIGITS:
        return None
    number = int(text)
    return number if number <= LARGEST else None
