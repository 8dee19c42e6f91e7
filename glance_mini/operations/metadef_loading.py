"""Data calls by which an operator loads and removes metadata definitions as a whole (operator-metadefs).

They respect neither protection nor limits, and cause no events.
"""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.domain.metadefs import NamespaceContent
from glance_mini.operations.base import MIGRATE, DataCall, Operation, Role

KEEP = "keep"
"""A namespace that exists stays as it is."""
MERGE = "merge"
"""A namespace that exists gets the parts that it lacks."""
PREFER_NEW = "prefer_new"
"""A namespace that exists gets the parts that it lacks, and its own values and equally named parts are replaced."""
OVERWRITE = "overwrite"
"""A namespace that exists is replaced with all its parts."""

ADDED = "added"
CHANGED = "changed"
KEPT = "kept"


@dataclass(frozen=True)
class WriteNamespaces(DataCall[tuple[str, ...]]):
    """Write namespaces with their parts, all or none; ``mode`` (``KEEP`` …) says what happens to those that exist.

    Returns ``ADDED``, ``CHANGED`` or ``KEPT`` for each. Raises Duplicate if two parts of a kind have one name.
    """

    name: ClassVar[str] = "write_metadef_namespaces"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    contents: tuple[NamespaceContent, ...] = ()
    mode: str = KEEP


@dataclass(frozen=True)
class RemoveNamespaces(DataCall[int]):
    """Delete all namespaces with their parts and return their number; the resource types stay."""

    name: ClassVar[str] = "remove_metadef_namespaces"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE


OPERATIONS: tuple[type[Operation[object]], ...] = (WriteNamespaces, RemoveNamespaces)
