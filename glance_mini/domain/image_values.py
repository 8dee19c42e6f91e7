"""Converts the values that clients send for an image into domain values. The values are validated elsewhere."""

import json
from collections.abc import Mapping
from typing import Any

from glance_mini.domain.changes import SETTABLE


def split_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Return the base and the custom properties among validated ``values``, as domain values."""
    base: dict[str, Any] = {}
    custom: dict[str, str | None] = {}
    for name, value in values.items():
        if name in SETTABLE:
            base[name] = domain_value(name, value)
        else:
            custom[name] = domain_value(name, value)
    return base, custom


def domain_value(name: str, value: Any) -> Any:
    """Return a validated value as a domain value: tags without duplicates, custom properties as text or null.

    True and False have a capital letter, as image services store them; lists and objects are JSON.

    The result is a JSON value, because calls of the data access layer carry it in fields without a narrower type.
    """
    if name == "tags":
        return list(dict.fromkeys(value))
    if name in SETTABLE:
        return value
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return None if value is None else str(value)
