"""The three shapes a schema comes in: full, minimal, and a collection of another (api-schemas)."""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

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
    properties: Mapping[str, Any],
    *,
    additional: bool | Schema = False,
    required: Sequence[str] = (),
    definitions: Mapping[str, Any] | None = None,
    links: Sequence[Mapping[str, str]] = (),
) -> Schema:
    """Return a schema with everything that a client needs to check an item before it sends it."""
    schema: Schema = {"name": name, "properties": dict(properties), "additionalProperties": additional}
    if definitions:
        schema["definitions"] = dict(definitions)
    if required:
        schema["required"] = list(required)
    if links:
        schema["links"] = list(links)
    return schema


def minimal(name: str, properties: Mapping[str, Any]) -> Schema:
    """Return a schema that only lists the properties."""
    return {"name": name, "properties": dict(properties)}


def collection(name: str, item: Schema, *, paged: bool = True) -> Schema:
    """Return the schema of a list of ``item`` under ``name``; ``paged``: with links to the first and next page."""
    properties: Schema = {name: {"type": "array", "items": item}}
    if not paged:
        properties["schema"] = {"type": "string"}
        return minimal(name, properties)
    properties |= {"first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"}}
    return {"name": name, "properties": properties, "links": list(_PAGE_LINKS)}
