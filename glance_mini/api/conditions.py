"""Conditional requests for image data: the entity tag of an image, and the headers that compare it (api-data-etag).

Source: RFC 9110 sections 8.8.3 (ETag) and 13 (conditional requests).
"""

import re
from collections.abc import Mapping

from glance_mini.api.errors import ConditionFailed
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image import Image

_HEADERS = ("If-Match", "If-None-Match", "If-Range")
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")


def entity_tag(image: Image) -> str | None:
    """Return the strong entity tag of the data of ``image``, None while no hash of the data is known.

    It is made of the hash alone, so two images with the same bytes have the same tag.
    """
    if image.os_hash_algo and image.os_hash_value:
        return f'"{image.os_hash_algo}-{image.os_hash_value}"'
    return f'"md5-{image.checksum}"' if image.checksum else None


def is_conditional(headers: Mapping[str, str]) -> bool:
    """Return whether the request depends on what data the image has."""
    return any(name in headers for name in _HEADERS)


def is_unchanged(headers: Mapping[str, str], tag: str | None) -> bool:
    """Return whether the client has the data with ``tag`` already, so that the answer is 304.

    Raises ConditionFailed if ``If-Match`` asks for other data, Invalid for a header that is no list of tags.
    """
    wanted = headers.get("If-Match")
    if wanted is not None and not _matches(wanted, tag, is_weak=False):
        raise ConditionFailed()
    known = headers.get("If-None-Match")
    return known is not None and _matches(known, tag, is_weak=True)


def is_range_valid(headers: Mapping[str, str], tag: str | None) -> bool:
    """Return whether ``If-Range`` lets a range be sent; if not, the whole data is the answer.

    A date never matches, because answers name no date of their data.
    """
    validator = headers.get("If-Range")
    return validator is None or (tag is not None and validator.strip() == tag)


def _matches(header: str, tag: str | None, *, is_weak: bool) -> bool:
    """Return whether the list ``header`` has ``tag``; ``is_weak``: a weak tag of the list may match too."""
    if header.strip() == "*":
        return True
    if not _TAGS.fullmatch(header):
        raise Invalid(reason="A condition of the request must be '*' or a list of entity tags in double quotes.")
    listed = re.findall(_TAG, header)
    return tag is not None and (tag in listed or (is_weak and f"W/{tag}" in listed))
