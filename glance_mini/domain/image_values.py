"""Converts the values that clients send for an image into domain values. The values are validated elsewhere."""

import json
from collections.abc import Mapping

from glance_mini.domain.changes import SETTABLE


def split_values(values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str | None]]:
    """Return the base and the custom properties among validated ``values``, as domain values."""
    base: dict[str, object] = {}
    custom: dict[str, str | None] = {}
    for name, value in values.items():
        if name in SETTABLE:
            base[name] = base_value(value)
        else:
            custom[name] = custom_value(value)
    return base, custom


def base_value(value: object) -> object:
    """Return the value of a base property as a domain value: tags, the only list, without duplicates."""
    return list(dict.fromkeys(value)) if isinstance(value, list) else value


def custom_value(value: object) -> str | None:
    """Return the value of a custom property as a domain value.

    True and False have a capital letter, as image services store them; lists and objects are JSON.
    """
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return None if value is None else str(value)
