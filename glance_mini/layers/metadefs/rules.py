"""What a namespace says of the custom properties of images, as rules that check their values.

Values of images are texts. A text is read as the type of its definition: ``true`` and ``false``, numbers, JSON for
objects; an array is JSON or a list with commas. Patterns are matched by RE2, whose time is proportional to the length
of the text, so that no pattern can hold a thread.
"""

import importlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, cast

from glance_mini.domain.errors import ConfigurationError, PropertyRefused
from glance_mini.domain.metadefs import IMAGE_TYPE, Definition, NamespaceContent

Matches = Callable[[str], object]
"""Returns something true if a text contains what a pattern describes."""

_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_SHOWN = 100


class Unusable(ValueError):
    """A pattern that cannot be used."""


class PatternCompiler(Protocol):
    """Makes a function of a pattern."""

    def __call__(self, pattern: str, /) -> Matches:
        """Return what searches for ``pattern``; raises Unusable."""
        ...


@dataclass(frozen=True)
class PropertyRule:
    """The rules of one property of images, by the name that it has on images."""

    namespace: str
    definition: Definition
    matches: Matches | None = None

    def check(self, name: str, text: str | None) -> None:
        """Raise PropertyRefused, with the first rule that the value of the property ``name`` breaks."""
        broken = self._broken(text)
        if broken is not None:
            shown = text if text is None or len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
            raise PropertyRefused(name=name, namespace=self.namespace, rule=broken, value=shown)

    def _broken(self, text: str | None) -> str | None:
        kind = self.definition.get("type")
        if text is None:
            return None if kind == "null" else f"type {kind}"
        try:
            value = _READERS[str(kind)](text)
        except (ValueError, KeyError):
            return f"type {kind}"
        allowed = self.definition.get("enum")
        if isinstance(allowed, list) and not _is_one_of(value, text, allowed):
            return f"enum {json.dumps(allowed, ensure_ascii=False)[:_LONGEST_SHOWN]}"
        if isinstance(value, list):
            return self._broken_by_list(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._broken_by_number(value)
        return self._broken_by_text(value) if isinstance(value, str) else None

    def _broken_by_number(self, value: float) -> str | None:
        least, most = _number(self.definition.get("minimum")), _number(self.definition.get("maximum"))
        if least is not None and value < least:
            return f"minimum {least}"
        return f"maximum {most}" if most is not None and value > most else None

    def _broken_by_text(self, value: str) -> str | None:
        least, most = _number(self.definition.get("minLength")), _number(self.definition.get("maxLength"))
        if least is not None and len(value) < least:
            return f"minLength {least}"
        if most is not None and len(value) > most:
            return f"maxLength {most}"
        if self.matches is not None and not self.matches(value):
            return f"pattern {self.definition['pattern']}"
        return None

    def _broken_by_list(self, values: Sequence[object]) -> str | None:
        least, most = _number(self.definition.get("minItems")), _number(self.definition.get("maxItems"))
        if least is not None and len(values) < least:
            return f"minItems {least}"
        if most is not None and len(values) > most:
            return f"maxItems {most}"
        if self.definition.get("uniqueItems") and len({json.dumps(each, sort_keys=True) for each in values}) < len(
            values
        ):
            return "uniqueItems"
        items = self.definition.get("items")
        return _broken_item(cast(Definition, items), values) if isinstance(items, Mapping) else None


class ImageRules:
    """The rules of all enforced namespaces; without a namespace there is none.

    ``required`` are the names of the properties without which an image gets no data.
    """

    def __init__(self, rules: Mapping[str, PropertyRule], required: Iterable[str] = ()) -> None:
        self._rules = rules
        self.required = tuple(sorted(set(required)))

    def check(self, name: str, text: str | None) -> None:
        """Raise PropertyRefused if the value of the property ``name`` breaks its rule."""
        rule = self._rules.get(name)
        if rule is not None:
            rule.check(name, text)


def rules_of(contents: Iterable[NamespaceContent], compile_pattern: PatternCompiler) -> tuple[ImageRules, list[str]]:
    """Return the rules of namespaces, and a sentence for each part that cannot be enforced.

    Of two definitions of one name the first counts.
    """
    rules: dict[str, PropertyRule] = {}
    required: set[str] = set()
    problems: list[str] = []
    for content in contents:
        prefix = next((each.prefix for each in content.associations if each.name == IMAGE_TYPE), None) or ""
        for name, definition in _definitions(content):
            matches: Matches | None = None
            pattern = definition.get("pattern")
            if isinstance(pattern, str):
                try:
                    matches = compile_pattern(pattern)
                except Unusable as error:
                    problems.append(f"The pattern of property {name} of {content.namespace.name} is ignored: {error}")
            rules.setdefault(prefix + name, PropertyRule(content.namespace.name, definition, matches))
        required |= {prefix + name for name in _required(content)}
    return ImageRules(rules, required), problems


def open_compiler() -> PatternCompiler:
    """Return what compiles patterns; raises ConfigurationError if the library is not installed."""
    try:
        re2 = importlib.import_module("re2")
    except ImportError as error:
        reason = "[metadefs] enforce needs RE2 for patterns: pip install 'glance-mini[metadefs]'"
        raise ConfigurationError(reason=reason) from error
    options = re2.Options()
    options.log_errors = False

    def compile_pattern(pattern: str) -> Matches:
        try:
            compiled: Matches = re2.compile(pattern, options).search
        except re2.error as error:
            raise Unusable(str(error)) from error
        return compiled

    return compile_pattern


def _definitions(content: NamespaceContent) -> Iterable[tuple[str, Definition]]:
    """Yield the properties of a namespace, then those of its objects."""
    yield from ((each.name, each.definition) for each in content.properties)
    for group in content.objects:
        yield from group.properties.items()


def _required(content: NamespaceContent) -> Iterable[str]:
    """Yield the names that the objects of a namespace and its properties require.

    ``required`` of a property that is itself an object names what is inside of it.
    """
    for group in content.objects:
        yield from group.required
    for _, definition in _definitions(content):
        names = definition.get("required")
        if isinstance(names, list) and definition.get("type") != "object":
            yield from map(str, names)


def _broken_item(items: Definition, values: Iterable[object]) -> str | None:
    kind, allowed = items.get("type"), items.get("enum")
    for value in values:
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            read = _READERS[str(kind)](text) if kind is not None else value
        except (ValueError, KeyError):
            return f"items type {kind}"
        if isinstance(allowed, list) and not _is_one_of(read, text, allowed):
            return f"items enum {json.dumps(allowed, ensure_ascii=False)[:_LONGEST_SHOWN]}"
    return None


def _is_one_of(value: object, text: str, allowed: Iterable[object]) -> bool:
    """Return whether a value, or its text, is one of ``allowed``; JSON tells true from 1, Python does not."""
    return any(text == each or (type(value) is type(each) and value == each) for each in allowed)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read_boolean(text: str) -> bool:
    word = text.lower()
    if word not in ("true", "false"):
        raise ValueError(text)
    return word == "true"


def _read_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _read_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _read_array(text: str) -> list[object]:
    if text.startswith("["):
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
            if isinstance(found, list):
                return found
        raise ValueError(text[:_LONGEST_SHOWN])
    return [part.strip() for part in text.split(",")] if text else []


def _read_object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(text[:_LONGEST_SHOWN]) from error
    if not isinstance(found, dict):
        raise ValueError(text[:_LONGEST_SHOWN])
    return found


def _read_null(text: str) -> None:
    if text:
        raise ValueError(text)


_READERS: Mapping[str, Callable[[str], object]] = {
    "string": str,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "number": _read_number,
    "array": _read_array,
    "object": _read_object,
    "null": _read_null,
}
