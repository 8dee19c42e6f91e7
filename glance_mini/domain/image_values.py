"""What clients say of an image as the domain holds it; what they may say is checked elsewhere."""

from collections.abc import Mapping
from typing import Any

from glance_mini.domain.changes import SETTABLE


def split_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the base properties and the custom ones among checked ``values``, as the domain holds them."""
    base: dict[str, Any] = {}
    custom: dict[str, str] = {}
    for name, value in values.items():
        if name in SETTABLE:
            base[name] = domain_value(name, value)
        else:
            custom[name] = domain_value(name, value)
    return base, custom


def domain_value(name: str, value: Any) -> Any:
    """Return a checked value as the domain holds it: tags without repetition, custom properties as text.

    It is a value of JSON, because calls of the data access layer hold it where they name no narrower type.
    """
    if name == "tags":
        return list(dict.fromkeys(value))
    if name in SETTABLE:
        return value
    return "" if value is None else str(value)
