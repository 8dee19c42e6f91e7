"""A wire that only plain values survive: what is sent over it arrives as a copy made from JSON."""

from datetime import datetime, timedelta
from typing import Any, TypeVar, get_args, get_origin

from cattrs.preconf.json import JsonConverter, make_converter

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.domain import errors
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.operations.base import DataCall

R = TypeVar("R")


def _make_converter() -> JsonConverter:
    converter = make_converter()
    converter.register_unstructure_hook(timedelta, timedelta.total_seconds)
    converter.register_structure_hook(timedelta, lambda seconds, _: timedelta(seconds=seconds))
    # In an order that does not change, so that texts can be compared.
    converter.register_unstructure_hook_func(lambda kind: get_origin(kind) is frozenset, sorted)
    # What no type describes is a value of JSON and arrives as it is; so does nothing.
    converter.register_structure_hook_func(lambda kind: kind in (object, type(None)), lambda value, _: value)
    return converter


_CONVERTER = _make_converter()

ERRORS = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, GlanceMiniError)
}
"""All errors that cross, by their codes."""


def send(value: Any, kind: Any) -> Any:
    """Return ``value``, which is of the type ``kind``, as it arrives; AssertionError where that is another value.

    Fields that do not count in a comparison arrive, too.
    """
    text = _CONVERTER.dumps(value, unstructure_as=kind)
    arrived = _CONVERTER.loads(text, kind)
    assert arrived == value, f"{value!r} arrives as {arrived!r}"
    assert _CONVERTER.dumps(arrived, unstructure_as=kind) == text, f"{text} arrives as another text"
    return arrived


def send_error(error: GlanceMiniError) -> GlanceMiniError:
    """Return ``error`` as it arrives: built anew from its code and its values."""
    code, values = send((error.code, error.values), tuple[str, dict[str, object]])
    arrived = ERRORS[code](**values)
    assert (type(arrived), str(arrived), arrived.values) == (type(error), str(error), error.values), repr(error)
    return arrived


def result_type(call: type[DataCall[Any]]) -> Any:
    """Return the type of the results of a class of calls, as it is declared."""
    for base in call.__orig_bases__:
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, DataCall):
            return get_args(base)[0]
    raise TypeError(f"{call.__name__} does not say what it returns")


class WireAccess(SqlDataAccess):
    """The data access on a database behind a wire: calls, causes, results and errors are sent over it."""

    name = "wire"

    def run(self, call: DataCall[R], now: datetime | None = None, cause: Cause | None = None) -> R:
        kind = type(call)
        try:
            result = super().run(send(call, kind), now, send(cause, Cause | None))
        except GlanceMiniError as error:
            raise send_error(error) from error
        arrived: R = send(result, result_type(kind))
        return arrived
