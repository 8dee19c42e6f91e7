"""Data calls, causes, results and errors as JSON, for a data access that is reached over a network.

There is no list of calls here: the fields of the dataclasses are the format, and a call that is added to ``operations``
needs no line. msgspec reads and writes them; cattrs finds the members of unions of dataclasses, which msgspec does not
know.

Neighbouring releases understand each other: a field that is missing has its default, and a field of a result that is
not known is left out. A field of a call that is not known asks for something, and is refused unless it is empty.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from glance_mini.domain import errors
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import GlanceMiniError, Invalid, Unavailable
from glance_mini.operations import DATA_CALLS
from glance_mini.operations.base import DataCall
from glance_mini.operations.once import RunOnce

T = TypeVar("T")

VERSION = 1
"""The version of the format. It grows when the meaning of something changes, and not with a new call or field."""

CALLS: Mapping[str, type[DataCall[object]]] = {call.name: call for call in DATA_CALLS}
"""All calls that cross, by their names."""

ERRORS: Mapping[str, type[GlanceMiniError]] = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, GlanceMiniError)
}
"""All errors that cross, by their codes."""

_EMPTY: tuple[object, ...] = (None, False, 0, "", [], {})


@dataclass(frozen=True, slots=True)
class Request:
    """A call on its way: its name, and its fields in ``values``.

    ``key`` names a write that must not be done twice (``RunOnce``). ``stores_events``: the events of the call are
    stored with its change. ``now`` takes the place of the time of the database; only tests send it.
    """

    call: str
    values: msgspec.Raw
    cause: Cause | None = None
    key: str | None = None
    stores_events: bool = False
    now: datetime | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Failure:
    """An error on its way: its code, its values, and its text for a reader that does not know the code."""

    code: str
    values: dict[str, Any]
    text: str


def encode(value: object) -> bytes:
    """Return ``value`` as JSON; raises TypeError for a value that is none of data."""
    return _ENCODER.encode(value)


def decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Return the value of the type ``kind``; raises Invalid, which names the place, if ``data`` is none."""
    try:
        value: T = reader(cast(Hashable, kind))(data)
    except (msgspec.DecodeError, ValueError, TypeError, LookupError) as error:
        raise Invalid(reason=f"It is no {getattr(kind, '__name__', kind)}: {error}") from error
    return value


@cache
def reader(kind: Any) -> Callable[[Any], Any]:
    """Return the function that makes a value of the type ``kind`` from JSON."""
    if _is_known(kind):
        return msgspec.json.Decoder(kind, dec_hook=_as_it_is).decode
    structure = _converter().get_structure_hook(kind)
    return lambda data: structure(msgspec.json.decode(data), kind)


def encode_request(
    call: DataCall[object], cause: Cause | None, stores_events: bool = False, now: datetime | None = None
) -> bytes:
    """Return the JSON of the ``Request`` for ``call``, which may be a ``RunOnce``."""
    key = None
    if isinstance(call, RunOnce):
        key, call = call.key, call.call
    return encode(Request(call.name, msgspec.Raw(encode(call)), cause, key, stores_events, now))


def decode_call(request: Request) -> DataCall[object]:
    """Return the call of ``request``, a ``RunOnce`` if it has a key.

    Raises NotFound if there is no such call, and Invalid if its fields are wrong or ask for what is not known here.
    """
    kind = CALLS.get(request.call)
    if kind is None:
        raise errors.NotFound(kind="data call", id=request.call)
    call = decode(request.values, kind)
    surplus = unknown_fields(request.values, call)
    if surplus:
        raise Invalid(reason=f"{request.call} has fields that this release does not know: {', '.join(surplus)}")
    return call if request.key is None else RunOnce(request.key, call)


def unknown_fields(sent: bytes | msgspec.Raw, value: object) -> list[str]:
    """Return the paths of the fields in ``sent`` that ``value``, which was made from it, does not have.

    Empty ones are left out.
    """
    own = encode(value)
    return [] if own == bytes(sent) else list(_surplus(msgspec.json.decode(sent), msgspec.json.decode(own), ""))


def result_type(call: DataCall[object]) -> Any:
    """Return the type of the results of ``call``, as it is declared."""
    return _result_type(cast(Hashable, type(call.call if isinstance(call, RunOnce) else call)))


def encode_error(error: GlanceMiniError) -> bytes:
    """Return the JSON of the ``Failure`` for ``error``."""
    values = {name: _error_value(value) for name, value in error.values.items()}
    return encode(Failure(error.code, values, str(error)))


def _error_value(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_error_value(each) for each in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def decode_error(data: bytes) -> GlanceMiniError:
    """Return the error; one with a code that is not known here is the known one above it, or Unavailable."""
    failure = decode(data, Failure)
    kind = ERRORS.get(failure.code)
    if kind is not None:
        try:
            return kind(**failure.values)
        except LookupError:
            # Another release gives other values.
            pass
    code = failure.code
    while code and (kind is None or kind.template != "{reason}"):
        code = code.rpartition(".")[0]
        kind = ERRORS.get(code)
    return (kind or Unavailable)(reason=failure.text)


@cache
def _result_type(call: type[DataCall[object]]) -> Any:
    for base in call.__dict__.get("__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, DataCall):
            return get_args(base)[0]
    raise TypeError(f"{call.__name__} does not say what it returns")


def _surplus(sent: object, own: object, path: str) -> Iterator[str]:
    if isinstance(sent, dict) and isinstance(own, dict):
        for name, value in sent.items():
            place = f"{path}.{name}" if path else str(name)
            if name in own:
                yield from _surplus(value, own[name], place)
            elif value not in _EMPTY:
                yield place
    elif isinstance(sent, list) and isinstance(own, list):
        for one, other in zip(sent, own, strict=False):
            yield from _surplus(one, other, path)


def _plain(value: object) -> object:
    """Return a value that msgspec writes for ``value``, which it does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is no data")


def _as_it_is(kind: type, value: Any) -> Any:
    """Return ``value``: what no type describes is a value of JSON."""
    if kind is object:
        return value
    raise TypeError(f"{kind} is no data")


@cache
def _is_known(kind: Any) -> bool:
    """Return whether msgspec can read the type: it does not know unions of dataclasses, nor what has one inside."""
    try:
        msgspec.json.Decoder(kind, dec_hook=_as_it_is)
    except TypeError:
        return False
    return True


@cache
def _converter() -> Any:
    """Return what reads the other types, and leaves everything inside them to msgspec that this can read."""
    from cattrs import Converter

    def convert(value: object, kind: Any) -> object:
        return msgspec.convert(value, kind, dec_hook=_as_it_is)

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook_func(_is_known, convert)
    for kind in (str, int, float, bool):
        # Of these cattrs makes a value from any other.
        converter.register_structure_hook(kind, convert)
    return converter


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
