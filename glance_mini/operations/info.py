"""Operations that return information about the service: its stores, and the usage of a project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from glance_mini.operations.base import Operation


class ListedStore(Protocol):
    """What the list of stores shows of a store; ``properties`` are for operators only."""

    id: str
    description: str | None
    is_default: bool
    weight: int

    @property
    def type(self) -> str: ...

    @property
    def read_only(self) -> bool: ...

    def properties(self) -> Mapping[str, object]: ...


@dataclass(frozen=True)
class ListStores(Operation[Sequence[ListedStore]]):
    """Return the configured stores in configuration order, without reserved ones.

    Raises NotFound unless several stores are configured. ``detail`` asks for details that only operators may see.
    """

    name: ClassVar[str] = "list_stores"
    writes: ClassVar[bool] = False
    detail: bool = False


@dataclass(frozen=True)
class GetUsage(Operation[dict[str, tuple[int, int]]]):
    """Return a dict from resource to (usage, limit) of the caller's project, in bytes or counts; -1 means no limit.

    It is empty for a caller without a project.
    """

    name: ClassVar[str] = "get_usage"
    writes: ClassVar[bool] = False


UsageOfProject = dict[str, tuple[int, int]]
"""What ``GetUsage`` returns."""


@dataclass(frozen=True)
class ListUsage(Operation[Sequence[tuple[str, UsageOfProject]]]):
    """Return up to ``limit`` projects with what they use and may use, by id, those after the id ``marker``."""

    name: ClassVar[str] = "list_usage"
    writes: ClassVar[bool] = False
    marker: str = ""
    limit: int = 25


@dataclass(frozen=True)
class CheckConfiguration(Operation[Sequence[str]]):
    """Return a sentence for each thing to be warned about in the options with which the process runs."""

    name: ClassVar[str] = "check_configuration"
    writes: ClassVar[bool] = False


OPERATIONS: tuple[type[Operation[object]], ...] = (ListStores, GetUsage, ListUsage, CheckConfiguration)
