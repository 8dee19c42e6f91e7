"""The locations of an image by calls of their own (reference 10.2, 10.3). Those in a patch: ``image_locations``."""

import re
from typing import Any

from glance_mini.api.request import Request
from glance_mini.api.response import Response, accepted_response, json_response
from glance_mini.api.v2.views import locations as views
from glance_mini.domain.errors import Invalid
from glance_mini.layers.stack import Stack
from glance_mini.operations.imports import AddLocation, GetLocations

DIGEST_LENGTHS = {"sha1": 40, "sha256": 64, "sha512": 128, "md5": 32}
"""The algorithms that a caller may tell a hash of, with the hexadecimal digits of their digests."""

_ALGORITHM, _VALUE = "os_hash_algo", "os_hash_value"
_HEXADECIMAL = re.compile("[0-9a-f]+")


class LocationsController:
    """Answers ``/v2/images/{image_id}/locations``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def index(self, request: Request, image_id: str) -> Response:
        """Show the locations of an image."""
        return json_response(views.index(self.domain.call(request.context, GetLocations(image_id))))

    def create(self, request: Request, image_id: str) -> Response:
        """Register existing data as that of a queued image."""
        body = request.json_object()
        url = body.get("url")
        if not isinstance(url, str) or not url:
            raise Invalid(reason="The body must have the member 'url', a string that is not empty.")
        algorithm, value = _told_hash(body.get("validation_data", {}))
        op = AddLocation(image_id, url=url, hash_algorithm=algorithm, hash_value=value)
        self.domain.call(request.context, op)
        return accepted_response()


def _told_hash(told: Any) -> tuple[str | None, str | None]:
    """Return algorithm and digest that the caller tells of the data, both None where there are none; Invalid."""
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise Invalid(reason="'validation_data' must be an object of strings.")
    if not told:
        return None, None
    if told.keys() != {_ALGORITHM, _VALUE}:
        raise Invalid(reason=f"'validation_data' has {_ALGORITHM} and {_VALUE} or nothing.")
    algorithm, value = told[_ALGORITHM], told[_VALUE].lower()
    if algorithm not in DIGEST_LENGTHS:
        raise Invalid(reason=f"{_ALGORITHM} must be one of {', '.join(DIGEST_LENGTHS)}.")
    if len(value) != DIGEST_LENGTHS[algorithm] or not _HEXADECIMAL.fullmatch(value):
        raise Invalid(reason=f"{_VALUE} must have {DIGEST_LENGTHS[algorithm]} hexadecimal digits.")
    return algorithm, value
