"""Changes fields of a frozen value whose names are known only while the program runs, and marks those with secrets."""

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SECRET = "secret"
"""The key of the metadata of a field that holds a secret of a user: True."""

T = TypeVar("T", bound="DataclassInstance")


class _Replace(Protocol):
    def __call__(self, value: T, /, **fields: object) -> T: ...


with_fields: _Replace = replace
"""Returns the value with other ``fields``, as ``dataclasses.replace`` does. Their types are not checked."""
