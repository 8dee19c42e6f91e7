"""A wire that only plain values survive: what is sent over it arrives as a copy made from JSON."""

from datetime import datetime
from typing import Any, TypeVar

from glance_mini.db import wire
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.operations.base import DataCall

R = TypeVar("R")


def send(value: Any, kind: Any) -> Any:
    """Return ``value``, which is of the type ``kind``, as it arrives; AssertionError where that is another value."""
    text = wire.encode(value)
    arrived = wire.decode(text, kind)
    assert arrived == value, f"{value!r} arrives as {arrived!r}"
    assert not wire.unknown_fields(text, arrived), f"{text!r} has fields that are lost"
    return arrived


def send_error(error: GlanceMiniError) -> GlanceMiniError:
    """Return ``error`` as it arrives: built anew from its code and its values."""
    arrived = wire.decode_error(wire.encode_error(error))
    assert (type(arrived), str(arrived), arrived.values) == (type(error), str(error), error.values), repr(error)
    return arrived


class WireAccess(SqlDataAccess):
    """The data access on a database behind a wire: calls, causes, results and errors are sent over it."""

    name = "wire"

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        request = send(wire.decode(wire.encode_request(call, cause, now=now), wire.Request), wire.Request)
        arrived = wire.decode_call(request)
        assert (arrived, request.cause) == (call, cause), f"{call!r} arrives as {arrived!r}"
        try:
            result = super().run(arrived, request.now, request.cause)
        except GlanceMiniError as error:
            raise send_error(error) from error
        returned: R = send(result, wire.result_type(call))
        return returned
