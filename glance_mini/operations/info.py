"""Operations that tell about the service: its stores, and what a project uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from glance_mini.operations.base import Operation


@dataclass(frozen=True)
class ListStores(Operation[Sequence[Any]]):
    """Return the configured ``Store`` objects in configuration order, reserved ones left out.

    NotFound without several stores. ``detail`` asks for what only operators may know.
    """

    name: ClassVar[str] = "list_stores"
    writes: ClassVar[bool] = False
    detail: bool = False


@dataclass(frozen=True)
class GetUsage(Operation[dict[str, tuple[int, int]]]):
    """Return a dict from resource to (usage, limit) of the caller's project, in bytes or counts; -1: no limit.

    Empty where Keystone's unified limits are not in use.
    """

    name: ClassVar[str] = "get_usage"
    writes: ClassVar[bool] = False


OPERATIONS: tuple[type[Operation[object]], ...] = (ListStores, GetUsage)
