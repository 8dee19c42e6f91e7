"""Converts the values that clients send for an image into domain values. The values are validated elsewhere."""

from collections.abc import Mapping
from typing import Any

from glance_mini.domain.changes import SETTABLE


def split_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the base and the custom properties among validated ``values``, as domain values."""
    base: dict[str, Any] = {}
    custom: dict[str, str] = {}
    for name, value in values.items():
        if name in SETTABLE:
            base[name] = domain_value(name, value)
        else:
            custom[name] = domain_value(name, value)
    return base, custom


def domain_value(name: str, value: Any) -> Any:
    """Return a validated value as a domain value: tags without duplicates, custom properties as text.

    The result is a JSON value, because calls of the data access layer carry it in fields without a narrower type.
    """
    if name == "tags":
        return list(dict.fromkeys(value))
    if name in SETTABLE:
        return value
    return "" if value is None else str(value)
