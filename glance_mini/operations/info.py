"""Operations that tell about the service itself (reference section 12)."""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.operations.base import Operation


@dataclass(frozen=True)
class ListStores(Operation):
    """Return the configured ``Store`` objects in configuration order, reserved ones left out.

    NotFound without several stores. ``detail`` asks for what only operators may know.
    """

    name: ClassVar[str] = "list_stores"
    detail: bool = False


@dataclass(frozen=True)
class GetUsage(Operation):
    """Return a dict from resource to (usage, limit) of the caller's project, in bytes or counts; -1: no limit.

    Empty where Keystone's unified limits are not in use.
    """

    name: ClassVar[str] = "get_usage"


@dataclass(frozen=True)
class CountUsage(Operation):
    """Return what a project uses and has reserved: a dict from resource to bytes or count."""

    name: ClassVar[str] = "count_usage"
    internal: ClassVar[bool] = True
    project_id: str


OPERATIONS: tuple[type[Operation], ...] = (ListStores, GetUsage, CountUsage)
