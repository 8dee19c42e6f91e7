"""Reads the query of an image list: filters, order and page (api-images-filters, api-images-sorting)."""

import re
from collections.abc import Iterable
from datetime import MAXYEAR, UTC, datetime, timedelta
from urllib.parse import parse_qsl

from glance_mini.domain.errors import Invalid
from glance_mini.domain.member import MEMBER_STATUSES
from glance_mini.domain.query import SORT_KEYS, VISIBILITIES, ImageQuery, RangeFilter, TimeFilter
from glance_mini_store.numbers import LARGEST, parse_number

DIRECTIONS = ("asc", "desc")
OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
MAX_PARAMETERS = 200
MAX_PROPERTIES_AND_TAGS = 32
"""The largest number of custom properties and tags of a query together (api-images-filters)."""

_ONE_OF = ("name", "id", "status", "container_format", "disk_format")
_EXACT = ("checksum", "os_hash_value", "os_hash_algo", "owner")
_NUMBERS = ("size", "min_ram", "min_disk")
BOUNDS = {f"{field}_{bound[:3]}": (field, bound) for field in _NUMBERS for bound in ("minimum", "maximum")}
"""Filters by a smallest or largest value, as field and bound of a ``RangeFilter``."""

LONGEST_NAME = 255
"""The largest number of characters of a name, and of a part of it that is searched for."""

_TIMES = ("created_at", "updated_at")
_PAGE = ("limit", "marker", "sort", "sort_key", "sort_dir", "deleted")
_TIE_BREAKERS = ("created_at", "id")

CONTAINS = "contains:"
"""The operator of a search for a part of a name."""

_OPERATOR = re.compile(f"({'|'.join(OPERATORS)}):(.*)", re.DOTALL)
_LIST_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"(?=,|\Z)|([^",]*)(?=,|\Z)', re.DOTALL)
_SECOND = timedelta(seconds=1)

Parameters = list[tuple[str, str]]


def parse_parameters(query_string: str) -> Parameters:
    """Return the parameters of a query string in their order; raises Invalid if there are too many."""
    try:
        return parse_qsl(query_string, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise Invalid(reason=f"A query has at most {MAX_PARAMETERS} parameters.") from None


def parse_image_query(parameters: Parameters, default_limit: int, max_limit: int) -> ImageQuery:
    """Return the query that ``parameters`` describe; raises Invalid for the first invalid parameter.

    If a parameter is repeated, the last one counts, except for ``tag``, ``sort_key`` and ``sort_dir``.
    """
    last = dict(parameters)
    filters = _Filters()
    for name, value in last.items():
        if name not in _PAGE:
            filters.add(name, value)
    tags = tuple(dict.fromkeys(value for name, value in parameters if name == "tag"))
    if len(tags) + len(filters.properties) > MAX_PROPERTIES_AND_TAGS:
        raise Invalid(reason=f"A query names at most {MAX_PROPERTIES_AND_TAGS} properties and tags together.")
    return ImageQuery(
        one_of=filters.one_of,
        properties=filters.properties,
        tags=tags,
        times=tuple(filters.times),
        ranges=tuple(filters.ranges),
        visibility=filters.visibility,
        member_status=filters.member_status,
        os_hidden=filters.os_hidden,
        sort=_parse_sort(parameters),
        marker=last.get("marker"),
        limit=parse_limit(last.get("limit"), default_limit, max_limit),
        name_part=filters.name_part,
    )


class _Filters:
    """Collects the filters, one parameter at a time."""

    def __init__(self) -> None:
        self.one_of: dict[str, tuple[object, ...]] = {}
        self.properties: dict[str, str] = {}
        self.times: list[TimeFilter] = []
        self.ranges: list[RangeFilter] = []
        self.visibility: str | None = None
        self.member_status = "accepted"
        self.os_hidden = False
        self.name_part: str | None = None

    def add(self, name: str, value: str) -> None:
        """Add one parameter; any other name is that of a custom property."""
        match name:
            case "tag":
                pass
            case "visibility":
                self.visibility = choice(name, value, (*VISIBILITIES, "all"))
            case "member_status":
                self.member_status = choice(name, value, (*MEMBER_STATUSES, "all"))
            case "os_hidden":
                self.os_hidden = choice(name, value.lower(), ("true", "false")) == "true"
            case "protected":
                self.one_of[name] = (choice(name, value, ("true", "false")) == "true",)
            case "name" if value.startswith(CONTAINS):
                self.name_part = _parse_part(value.removeprefix(CONTAINS))
            case "changes-since":
                raise Invalid(reason="The filter changes-since is gone; use updated_at=gte:<time>.")
            case _:
                self._add_by_kind(name, value)

    def _add_by_kind(self, name: str, value: str) -> None:
        if name in _ONE_OF:
            self.one_of[name] = _parse_one_of(name, value)
        elif name in _EXACT:
            self.one_of[name] = (value,)
        elif name in _NUMBERS:
            self.one_of[name] = (_parse_number(name, value),)
        elif name in BOUNDS:
            field, bound = BOUNDS[name]
            self.ranges.append(RangeFilter(field, **{bound: _parse_number(name, value)}))
        elif name in _TIMES:
            self.times.extend(_parse_times(name, value))
        else:
            self.properties[name] = value


def choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return ``value``; raises Invalid, which names ``name``, if it is not one of ``choices``."""
    if value not in choices:
        raise Invalid(reason=f"{name} must be one of {', '.join(choices)}, not '{value}'.")
    return value


def _parse_number(name: str, value: str) -> int:
    number = parse_number(value.removeprefix("-"))
    if number is None:
        raise Invalid(reason=f"{name} must be a whole number up to {LARGEST}, not '{value}'.")
    return -number if value.startswith("-") else number


def _parse_one_of(name: str, value: str) -> tuple[str, ...]:
    """Return the values that ``value``, ``eq:value`` or ``in:value,value`` allows; raises Invalid."""
    operator, colon, rest = value.partition(":")
    if not colon:
        return (value,)
    match operator:
        case "eq":
            return (rest,)
        case "in":
            return tuple(dict.fromkeys(_split_list(name, rest)))
    raise Invalid(reason=f"The operator '{operator}' cannot be used for {name}; write eq: before a value with a colon.")


def _parse_part(text: str) -> str:
    if not 1 <= len(text) <= LONGEST_NAME:
        raise Invalid(reason=f"The text after name={CONTAINS} must have 1 to {LONGEST_NAME} characters.")
    return text


def _split_list(name: str, text: str) -> list[str]:
    """Split at commas; an item in double quotes may hold commas, and quotes written as ``\\"``."""
    items: list[str] = []
    position = 0
    while True:
        item = _LIST_ITEM.match(text, position)
        if item is None:
            raise Invalid(reason=f"The list after {name}=in: is not well formed; quote items with commas or quotes.")
        items.append(item[2] if item[1] is None else item[1].replace('\\"', '"'))
        if item.end() == len(text):
            return items
        position = item.end() + 1


def _parse_times(name: str, value: str) -> list[TimeFilter]:
    """Return the filters for ``value``, a time with or without an operator before it.

    Times are shown in whole seconds, so a time without a fraction means the whole of its second.
    """
    match = _OPERATOR.fullmatch(value)
    operator, text = (match[1], match[2]) if match else ("eq", value)
    time = _parse_time(name, text)
    if time.microsecond or time.year == MAXYEAR:
        return [TimeFilter(name, operator, time)]
    match operator:
        case "eq":
            return [TimeFilter(name, "gte", time), TimeFilter(name, "lt", time + _SECOND)]
        case "gt":
            return [TimeFilter(name, "gte", time + _SECOND)]
        case "lte":
            return [TimeFilter(name, "lt", time + _SECOND)]
        case "neq":
            return [TimeFilter(name, "neq", time, until=time + _SECOND)]
    return [TimeFilter(name, operator, time)]


def _parse_time(name: str, text: str) -> datetime:
    """Return the ISO 8601 time ``text`` in UTC, without a zone; a time without a zone is read as UTC."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        raise Invalid(reason=f"{name} must be an ISO 8601 time with one of {', '.join(OPERATORS)} before it.") from None


def parse_limit(text: str | None, default: int, maximum: int) -> int:
    """Return the largest number of items of a page; raises Invalid."""
    limit = default if text is None else _parse_number("limit", text)
    if limit < 0:
        raise Invalid(reason=f"limit must be at least 0, not {limit}.")
    return min(limit, maximum)


def _parse_sort(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """Return keys and directions in their order, followed by tie breakers, so that the order is always unique."""
    keys = [value for name, value in parameters if name == "sort_key"]
    directions = [value for name, value in parameters if name == "sort_dir"]
    new_style = [value for name, value in parameters if name == "sort"]
    if new_style and (keys or directions):
        raise Invalid(reason="sort cannot be used together with sort_key or sort_dir.")
    pairs = _parse_new_sort(new_style[-1]) if new_style else _pair_old_sort(keys or ["created_at"], directions)
    for key, direction in pairs:
        choice("A sort key", key, SORT_KEYS)
        choice("A sort direction", direction, DIRECTIONS)
    order = dict(reversed(pairs))
    pairs = [(key, order[key]) for key in dict.fromkeys(key for key, _ in pairs)]
    return tuple(pairs + [(key, pairs[0][1]) for key in _TIE_BREAKERS if key not in order])


def _parse_new_sort(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(","):
        key, _, direction = part.strip().partition(":")
        pairs.append((key, direction or "desc"))
    return pairs


def _pair_old_sort(keys: list[str], directions: list[str]) -> list[tuple[str, str]]:
    if len(directions) <= 1:
        directions = (directions or ["desc"]) * len(keys)
    if len(directions) != len(keys):
        raise Invalid(reason=f"There are {len(keys)} sort keys and {len(directions)} sort directions.")
    return list(zip(keys, directions, strict=True))
