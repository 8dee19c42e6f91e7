"""Custom properties in the types that the operator's schema gives them (api-images-custom).

They are stored as text or null. Clients write them in their type or as text, and are shown their type.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from jsonschema.protocols import Validator

from glance_mini.api.v2.schemas.shapes import ObjectSchema, Schema
from glance_mini.api.v2.schemas.strict import StrictValidator
from glance_mini.domain.image_values import custom_value

_WORDS = {"true": True, "false": False}

_LONGEST_LITERAL = 1000
"""The longest text that is read as a list or object in Python's way of writing, as earlier releases stored it."""

_LONGEST_REMEMBERED = 100


class PropertyTypes:
    """The custom properties of an image schema whose values are not always text."""

    def __init__(self, schema: ObjectSchema) -> None:
        self._validators: Mapping[str, Validator] = {
            name: StrictValidator(each)
            for name, each in schema["properties"].items()
            if each.get("is_base") is False and _may_differ(each)
        }
        self.names = frozenset(self._validators)
        self._remembered = lru_cache(maxsize=4096)(self._from_text)

    def shown(self, properties: Mapping[str, str | None]) -> dict[str, object]:
        """Return the values of those ``properties`` that are among ``names``, in their types."""
        return {name: self._shown(name, properties[name]) for name in self.names if name in properties}

    def written(self, name: str, value: object) -> object:
        """Return ``value``, or what it means if it is a text for a property of another type."""
        return self._from_text(name, value) if isinstance(value, str) and name in self.names else value

    def stored(self, name: str, text: str) -> str:
        """Return the stored form of ``text``, with which a client filters a list."""
        return custom_value(self.written(name, text)) or ""

    def _shown(self, name: str, text: str | None) -> object:
        if text is None:
            return None
        read = self._remembered if len(text) <= _LONGEST_REMEMBERED else self._from_text
        return read(name, text)

    def _from_text(self, name: str, text: str) -> object:
        """Return the first meaning of ``text`` that fits the schema; ``text`` itself if none does."""
        is_valid = self._validators[name].is_valid
        if is_valid(text):
            return text
        return next((value for value in _meanings(text) if is_valid(value)), text)


def _may_differ(schema: Schema) -> bool:
    kinds = schema.get("type")
    return kinds != "string" and kinds != ["string"]


def _meanings(text: str) -> Iterator[object]:
    if not text:
        # Null was stored as an empty text by earlier releases.
        yield None
    if text.lower() in _WORDS:
        yield _WORDS[text.lower()]
    for read in (_read_json, _read_literal):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            yield read(text)


def _read_json(text: str) -> object:
    return json.loads(text, parse_constant=_refuse)


def _read_literal(text: str) -> object:
    """Return the list or object that an earlier release stored as Python writes it."""
    if text[:1] not in ("[", "{") or len(text) > _LONGEST_LITERAL:
        raise ValueError("This is not a short list or object.")
    return ast.literal_eval(text)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
