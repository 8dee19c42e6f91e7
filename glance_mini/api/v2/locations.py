"""The locations of an image: the locations calls (api-locations-add), and changes of locations in a patch."""

import re
from collections.abc import Sequence
from typing import NotRequired, TypedDict

from glance_mini.api.request import Request
from glance_mini.api.response import Response, accepted_response, json_response
from glance_mini.api.transfer_slots import LocationSlots
from glance_mini.api.v2.views import locations as views
from glance_mini.domain.changes import LocationChange
from glance_mini.domain.errors import Conflict, Forbidden, Invalid
from glance_mini.domain.image import Location
from glance_mini.layers.stack import Stack
from glance_mini.operations.locations import AddLocation, GetLocations

DIGEST_LENGTHS = {"sha1": 40, "sha256": 64, "sha512": 128, "md5": 32}
"""The hash algorithms that a caller may name, with the number of hexadecimal digits of their digests."""

_ALGORITHM, _VALUE = "os_hash_algo", "os_hash_value"


class LocationsController:
    """Answers ``/v2/images/{image_id}/locations``."""

    def __init__(self, domain: Stack, slots: LocationSlots) -> None:
        self.domain = domain
        self._slots = slots

    def index(self, request: Request, image_id: str) -> Response:
        """Show the locations of an image."""
        return json_response(views.index(self.domain.call(request.context, GetLocations(image_id))))

    def create(self, request: Request, image_id: str) -> Response:
        """Register existing data as the data of a queued image."""
        body = request.json_object()
        url = body.get("url")
        if not isinstance(url, str) or not url:
            raise Invalid(reason="The body must have the member 'url', a string that is not empty.")
        algorithm, value = _claimed_hash(body.get("validation_data", {}))
        op = AddLocation(image_id, url=url, hash_algorithm=algorithm, hash_value=value)
        with self._slots.look(request.context.project_id, [url]):
            self.domain.call(request.context, op)
        return accepted_response()


def _claimed_hash(claim: object) -> tuple[str | None, str | None]:
    """Return the algorithm and digest that the caller claims for the data, both None if it claims none; Invalid."""
    if not isinstance(claim, dict) or not all(isinstance(value, str) for value in claim.values()):
        raise Invalid(reason="'validation_data' must be an object of strings.")
    if not claim:
        return None, None
    if claim.keys() != {_ALGORITHM, _VALUE}:
        raise Invalid(reason=f"'validation_data' must have {_ALGORITHM} and {_VALUE} or be empty.")
    algorithm, value = claim[_ALGORITHM], claim[_VALUE].lower()
    if algorithm not in DIGEST_LENGTHS:
        raise Invalid(reason=f"{_ALGORITHM} must be one of {', '.join(DIGEST_LENGTHS)}.")
    if len(value) != DIGEST_LENGTHS[algorithm] or not _HEXADECIMAL.fullmatch(value):
        raise Invalid(reason=f"{_VALUE} must have {DIGEST_LENGTHS[algorithm]} hexadecimal digits.")
    return algorithm, value


_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_DIGEST_LENGTHS = DIGEST_LENGTHS | {"sha224": 56, "sha384": 96}


class Item(TypedDict):
    """A location in the value of a patch."""

    url: str
    metadata: dict[str, object]
    validation_data: NotRequired[dict[str, str]]


def add_locations(position: str, items: Sequence[Item], hash_algorithm: str) -> LocationChange:
    """Return the change that adds ``items`` at ``position``, ``-`` for the end; Invalid, Conflict."""
    return LocationChange(
        "add",
        position=None if position == "-" else _position(position),
        locations=_locations(items),
        hashes=_hashes(items, hash_algorithm),
    )


def replace_locations(items: Sequence[Item], hash_algorithm: str) -> LocationChange:
    """Return the change that replaces all locations with ``items``; raises Forbidden if there are no items."""
    if not items:
        raise Forbidden(reason="The locations of an image cannot be replaced with an empty list.")
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
    """Return whether ``value`` holds only strings, lists and objects; the depth limit of the body bounds its depth."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str)


def _hashes(items: Sequence[Item], hash_algorithm: str) -> dict[str, str]:
    """Return the hashes that the items claim for the data; raises Conflict if the claims differ or are invalid."""
    claims = [item["validation_data"] for item in items if item.get("validation_data")]
    if not claims:
        return {}
    if any(claim != claims[0] for claim in claims):
        raise Conflict(reason="The locations claim different validation data.")
    claim = claims[0]
    if claim["os_hash_algo"] != hash_algorithm:
        raise Conflict(reason=f"The algorithm of validation data must be {hash_algorithm}.")
    _check_digest("os_hash_value", claim["os_hash_value"], _DIGEST_LENGTHS.get(hash_algorithm))
    if "checksum" in claim:
        _check_digest("checksum", claim["checksum"], _DIGEST_LENGTHS["md5"])
    return claim


def _check_digest(name: str, value: str, length: int | None) -> None:
    if not _HEXADECIMAL.fullmatch(value) or (length is not None and len(value) != length):
        raise Conflict(reason=f"{name} is not a hexadecimal digest of its algorithm.")
