"""The three shapes a schema comes in: full, minimal, and a collection of another (api-schemas)."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

Schema = Mapping[str, object]
"""A JSON schema."""


class ObjectSchema(TypedDict):
    """The schema of an object, as the API shows it."""

    name: str
    properties: dict[str, Schema]
    additionalProperties: NotRequired[bool | Schema]
    definitions: NotRequired[Mapping[str, Schema]]
    required: NotRequired[list[str]]
    links: NotRequired[list[Mapping[str, str]]]


ITEM_LINKS = (
    {"rel": "self", "href": "{self}"},
    {"rel": "enclosure", "href": "{file}"},
    {"rel": "describedby", "href": "{schema}"},
)

_PAGE_LINKS = (
    {"rel": "first", "href": "{first}"},
    {"rel": "next", "href": "{next}"},
    {"rel": "describedby", "href": "{schema}"},
)


def full(
    name: str,
    properties: Mapping[str, Schema],
    *,
    additional: bool | Schema = False,
    required: Sequence[str] = (),
    definitions: Mapping[str, Schema] | None = None,
    links: Sequence[Mapping[str, str]] = (),
) -> ObjectSchema:
    """Return a schema with everything that a client needs to check an item before it sends it."""
    schema: ObjectSchema = {"name": name, "properties": dict(properties), "additionalProperties": additional}
    if definitions:
        schema["definitions"] = definitions
    if required:
        schema["required"] = list(required)
    if links:
        schema["links"] = list(links)
    return schema


def minimal(name: str, properties: Mapping[str, Schema]) -> ObjectSchema:
    """Return a schema that only lists the properties."""
    return {"name": name, "properties": dict(properties)}


def collection(name: str, item: ObjectSchema, *, paged: bool = True) -> ObjectSchema:
    """Return the schema of a list of ``item`` under ``name``; ``paged``: with links to the first and next page."""
    properties: dict[str, Schema] = {name: {"type": "array", "items": item}}
    if not paged:
        properties["schema"] = {"type": "string"}
        return minimal(name, properties)
    properties |= {"first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"}}
    return {"name": name, "properties": properties, "links": list(_PAGE_LINKS)}
