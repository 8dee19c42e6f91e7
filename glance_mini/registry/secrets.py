"""Leaves secrets out of answers to nodes that may only read.

A field of a value is a secret if its metadata says so (``domain.fields.SECRET``).
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from glance_mini.domain.fields import SECRET, with_fields


def without_secrets(value: object) -> object:
    """Return ``value``, a result of a data call, with None in place of its secrets."""
    if isinstance(value, tuple):
        return tuple(map(without_secrets, value))
    if isinstance(value, Mapping):
        return {key: without_secrets(each) for key, each in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, object] = {}
    for field in fields(value):
        before = getattr(value, field.name)
        after = None if field.metadata.get(SECRET) else without_secrets(before)
        if after is not before and after != before:
            changed[field.name] = after
    return with_fields(value, **changed) if changed else value
