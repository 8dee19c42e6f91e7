"""Splits the query of a list into its shape, which determines the statement, and its bound values.

Statements are built once for each shape and cached; everything that a caller chooses freely is bound.
"""

from typing import NamedTuple

from glance_mini.db.sqlalchemy.images import visibility
from glance_mini.db.sqlalchemy.models import digest
from glance_mini.domain.query import ImageQuery, Scope

LARGEST = 2**63 - 1
"""The largest number in any column, and the largest that SQLite's driver accepts."""

SINGLE = 4
"""The most properties, and the most tags, that each have a condition of their own."""


class QueryShape(NamedTuple):
    """The sets to read (``visibility.audiences``), the kinds and numbers of filters, and the order.

    Each field is paired with whether it has only one allowed value. ``properties`` and ``tags`` are their numbers;
    SINGLE + 1 stands for any larger number. ``lead`` says which of the two has the rarest value; it drives the sets
    ``led``. ``is_bounded``: the page has a limit of bytes. ``row_values``: the order has one direction, and the
    database can seek in an index by comparing rows. ``is_search``: names have a part in common.
    """

    audiences: tuple[str, ...]
    deleted: bool
    visibility: bool
    fields: tuple[tuple[str, bool], ...]
    times: tuple[tuple[str, str], ...]
    ranges: tuple[tuple[str, bool, bool], ...]
    properties: int
    tags: int
    lead: str | None
    led: tuple[str, ...]
    order: tuple[tuple[str, str], ...]
    after: bool
    is_bounded: bool
    row_values: bool
    is_search: bool


def shape_of(query: ImageQuery, scope: Scope, compares_rows: bool) -> QueryShape:
    """Return the shape of ``query``, without a lead; ``compares_rows``: whether an index serves comparisons of rows."""
    order = _order(query.sort)
    return QueryShape(
        audiences=visibility.audiences(query, scope),
        deleted=query.wants_deleted,
        visibility=query.visibility not in (None, "all"),
        fields=tuple((name, len(allowed) == 1) for name, allowed in query.one_of.items()),
        times=tuple((time.field, time.operator) for time in query.times),
        ranges=tuple((one.field, one.minimum is not None, one.maximum is not None) for one in query.ranges),
        properties=min(len(query.properties), SINGLE + 1),
        tags=min(len(query.tags), SINGLE + 1),
        lead=None,
        led=(),
        order=order,
        after=query.marker is not None,
        is_bounded=query.max_bytes is not None,
        row_values=compares_rows and len({direction for _, direction in order}) == 1,
        is_search=query.name_part is not None,
    )


def values_of(query: ImageQuery, scope: Scope) -> dict[str, object]:
    """Return the bound values of ``query``, except those of its marker."""
    values: dict[str, object] = {
        "project": scope.project_id,
        "visibility": query.visibility,
        "hidden": query.os_hidden,
        "limit": query.limit,
        "big": LARGEST if query.max_bytes is None else query.max_bytes // max(query.limit, 1),
    }
    if query.name_part is not None:
        values |= {"name_part": _pattern(query.name_part), "searched": query.max_searched}
    for name, allowed in query.one_of.items():
        bounded = [_bounded(value) for value in allowed]
        values[f"one_of_{name}"] = bounded[0] if len(bounded) == 1 else bounded
    for number, time in enumerate(query.times):
        values[f"time_{number}"] = time.value
        values[f"until_{number}"] = time.until or time.value + time.value.resolution
    for number, one in enumerate(query.ranges):
        values[f"minimum_{number}"], values[f"maximum_{number}"] = _bounded(one.minimum), _bounded(one.maximum)
    for kind, wanted in children_of(query).items():
        values |= {kind: wanted, f"number_of_{kind}": len(wanted)}
        values |= {f"{kind}_{number}": value for number, value in enumerate(wanted)}
    return values


def children_of(query: ImageQuery) -> dict[str, list[str]]:
    """Return the values by which the properties and the tags of ``query`` are found."""
    return {
        "properties": [digest(name, value) for name, value in query.properties.items()],
        "tags": list(dict.fromkeys(query.tags)),
    }


def _order(sort: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return ``sort`` without keys that cannot change the order: repeated keys, and those after the unique one."""
    order: dict[str, str] = {}
    for key, direction in sort:
        order.setdefault(key, direction)
        if key == "id":
            break
    return tuple(order.items())


ESCAPE = "/"
"""The character before one that LIKE would take for a wildcard."""


def _pattern(part: str) -> str:
    for character in (ESCAPE, "%", "_"):
        part = part.replace(character, ESCAPE + character)
    return f"%{part}%"


def _bounded(value: object) -> object:
    return max(-LARGEST, min(value, LARGEST)) if type(value) is int else value
