"""The locations in a patch as changes (reference 10.1). Whether a URL may be used is decided by the location layer."""

import re
from collections.abc import Sequence
from typing import Any

from glance_mini.domain.changes import LocationChange
from glance_mini.domain.errors import Conflict, Forbidden, Invalid
from glance_mini.domain.image import Location

_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_DIGEST_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}

Item = dict[str, Any]


def add_locations(position: str, items: Sequence[Item], hash_algorithm: str) -> LocationChange:
    """Return the change that adds ``items`` at ``position``, ``-`` for the end; Invalid, Conflict."""
    return LocationChange(
        "add",
        position=None if position == "-" else _position(position),
        locations=_locations(items),
        hashes=_hashes(items, hash_algorithm),
    )


def replace_locations(items: Sequence[Item], hash_algorithm: str) -> LocationChange:
    """Return the change that puts ``items`` in the place of all locations; Forbidden for none."""
    if not items:
        raise Forbidden(reason="The locations of an image cannot be replaced by none.")
    return LocationChange("replace", locations=_locations(items), hashes=_hashes(items, hash_algorithm))


def remove_location(position: str) -> LocationChange:
    """Return the change that removes the location at ``position``; Invalid."""
    return LocationChange("remove", position=_position(position))


def _position(text: str) -> int:
    if not _POSITION.fullmatch(text):
        raise Invalid(reason="The position of a location must be a number from 0.")
    return int(text)


def _locations(items: Sequence[Item]) -> tuple[Location, ...]:
    for item in items:
        for key, value in item["metadata"].items():
            if not _is_plain(value):
                raise Invalid(reason=f"Metadata '{key}' of a location may hold strings, lists and objects only.")
    return tuple(Location(item["url"], item["metadata"]) for item in items)


def _is_plain(value: object) -> bool:
    """Tell whether there are only strings, lists and objects; the depth is bounded by that of the body."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str)


def _hashes(items: Sequence[Item], hash_algorithm: str) -> dict[str, str]:
    """Return what the items claim of the data; Conflict where the claims differ or cannot be."""
    claims = [item["validation_data"] for item in items if item.get("validation_data")]
    if not claims:
        return {}
    if any(claim != claims[0] for claim in claims):
        raise Conflict(reason="The locations claim different validation data.")
    claim: dict[str, str] = dict(claims[0])
    if claim["os_hash_algo"] != hash_algorithm:
        raise Conflict(reason=f"The algorithm of validation data must be {hash_algorithm}.")
    _check_digest("os_hash_value", claim["os_hash_value"], _DIGEST_LENGTHS.get(hash_algorithm))
    if "checksum" in claim:
        _check_digest("checksum", claim["checksum"], _DIGEST_LENGTHS["md5"])
    return claim


def _check_digest(name: str, value: str, length: int | None) -> None:
    if not _HEXADECIMAL.fullmatch(value) or (length is not None and len(value) != length):
        raise Conflict(reason=f"{name} is not a hexadecimal digest of its algorithm.")
