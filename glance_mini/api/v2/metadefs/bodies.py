"""Reads what clients send about metadata definitions, checked against the schemas (api-metadefs).

Fields that the service sets are refused at the top of a body. They are ignored further inside, where clients copy them
from what they were shown.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import cast

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.v2.image_query import DIRECTIONS, Parameters, choice, parse_limit
from glance_mini.api.v2.schemas.metadefs import MAX_NAME
from glance_mini.api.v2.schemas.shapes import ObjectSchema, Schema
from glance_mini.api.v2.schemas.strict import StrictValidator
from glance_mini.domain.errors import Forbidden, Invalid
from glance_mini.domain.metadefs import (
    Association,
    Definition,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
    PartQuery,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.layers.stack import Stack
from glance_mini.operations.base import Operation

READ_ONLY = ("self", "schema", "created_at", "updated_at")

LONG = 32 * 1024
"""Bytes of a body that costs more to check than the question whether the caller may send it."""

MAX_PATTERN = 1000
"""The most characters of the pattern of a property."""

_MAX_MESSAGE = 300

Body = Mapping[str, object]


class BodyReader:
    """Checks bodies against a schema; ``unlisted`` are further fields that clients may send.

    Before a long body is checked, ``domain`` is asked whether the caller may send any.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        domain: Stack,
        schema: ObjectSchema,
        unlisted: Mapping[str, Schema] = MappingProxyType({}),
    ) -> None:
        self._domain = domain
        self._limit = min(conf.metadefs.max_body_bytes, conf.server.max_json_body)
        checked = {key: value for key, value in schema.items() if key not in ("name", "links")}
        checked["properties"] = {**schema["properties"], **unlisted}
        self._validator = StrictValidator({"type": "object", "additionalProperties": False, **checked})

    def read(self, request: Request, operation: Callable[[Body], Operation[object]]) -> Body:
        """Return the body; raises Forbidden for a field that the service sets, Invalid for what does not fit.

        ``operation`` returns what will be done; only its name and its target need to be right. Raises BodyTooLarge, and
        for a long body what the domain refuses.
        """
        body = request.json_object(self._limit)
        if request.content_length is None or request.content_length > LONG:
            self._domain.permit(request.context, operation(body))
        for name in READ_ONLY:
            if name in body:
                raise Forbidden(reason=f"Attribute '{name}' is read-only.")
        error = next(self._validator.iter_errors(body), None)
        if error is not None:
            where = "".join(f"[{part}]" for part in error.absolute_path)
            raise Invalid(reason=f"The body{_cut(where)} does not fit its schema: {_cut(error.message)}")
        return body


def to_namespace(body: Body) -> Namespace:
    """Return the namespace itself."""
    return Namespace(
        checked_name(body["namespace"], "namespace"),
        cast(str | None, body.get("display_name")),
        cast(str | None, body.get("description")),
        cast(str, body.get("visibility", "private")),
        cast(bool, body.get("protected", False)),
        cast(str | None, body.get("owner")),
    )


def to_content(body: Body) -> NamespaceContent:
    """Return the namespace with all its parts."""
    return NamespaceContent(
        to_namespace(body),
        tuple(map(to_association, _list(body, "resource_type_associations"))),
        tuple(_property(name, each) for name, each in _object(body, "properties").items()),
        tuple(map(to_object, _list(body, "objects"))),
        tuple(to_tag(each) for each in _list(body, "tags")),
    )


def to_association(body: Body) -> Association:
    """Return the association of a resource type."""
    prefix, target = (cast(str | None, body.get(name)) for name in ("prefix", "properties_target"))
    return Association(checked_name(body["name"], "resource type"), prefix, target)


def to_property(body: Body) -> PropertyDefinition:
    """Return the property."""
    name = checked_name(body["name"], "property")
    return _property(name, {key: value for key, value in body.items() if key != "name"})


def to_object(body: Body) -> ObjectDefinition:
    """Return the object."""
    properties = {
        checked_name(name, "property"): _checked(name, each) for name, each in _object(body, "properties").items()
    }
    return ObjectDefinition(
        checked_name(body["name"], "object"),
        cast(str | None, body.get("description")),
        tuple(cast(Iterable[str], body.get("required", ()))),
        properties,
    )


def to_tag(body: Body) -> TagDefinition:
    """Return the tag."""
    return TagDefinition(checked_name(body["name"], "tag"))


def checked_name(name: object, kind: str) -> str:
    """Return ``name``; raises Invalid if it cannot be that of something new."""
    if not isinstance(name, str) or not name or len(name) > MAX_NAME:
        raise Invalid(reason=f"The name of a {kind} has 1 to {MAX_NAME} characters.")
    return name


def part_query(
    parameters: Parameters, limits: tuple[int, int], sort_keys: tuple[str, ...] = (), least: int = 0
) -> PartQuery:
    """Return the query of a page of parts, which begins at ``least`` rows; without ``sort_keys`` it is by name.

    Raises Invalid.
    """
    last = dict(parameters)
    limit = parse_limit(last.get("limit"), *limits)
    if limit < least:
        raise Invalid(reason=f"limit must be at least {least}, not {limit}.")
    if not sort_keys:
        return PartQuery(marker=last.get("marker"), limit=limit)
    return PartQuery(
        choice("A sort key", last.get("sort_key", "created_at"), sort_keys),
        choice("A sort direction", last.get("sort_dir", "desc"), DIRECTIONS),
        last.get("marker"),
        limit,
    )


def _property(name: str, definition: Definition) -> PropertyDefinition:
    return PropertyDefinition(checked_name(name, "property"), _checked(name, definition))


def _checked(name: str, definition: Definition) -> Definition:
    """Return ``definition`` without a name; raises Invalid if its pattern is too long.

    The pattern is not compiled here: a body may hold a thousand of them, and any caller may send one.
    """
    pattern = definition.get("pattern")
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN:
        raise Invalid(reason=f"The pattern of property '{_cut(name)}' has more than {MAX_PATTERN} characters.")
    return {key: value for key, value in definition.items() if key != "name"}


def _list(body: Body, name: str) -> list[Body]:
    return cast(list[Body], body.get(name, []))


def _object(body: Body, name: str) -> Mapping[str, Definition]:
    return cast(Mapping[str, Definition], body.get(name, {}))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"
