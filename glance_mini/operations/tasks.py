"""Operations on tasks, the public view of jobs (reference section 13)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.job import JobQuery
from glance_mini.operations.base import Operation


@dataclass(frozen=True)
class ListTasks(Operation):
    """Return a page of jobs, as a tuple."""

    name: ClassVar[str] = "list_tasks"
    query: JobQuery = field(default_factory=JobQuery)


@dataclass(frozen=True)
class GetTask(Operation):
    """Return one job; NotFound."""

    name: ClassVar[str] = "get_task"
    task_id: str = ""


@dataclass(frozen=True)
class CreateTask(Operation):
    """Begin a task of the old kind, ``import``, and return its job; Invalid.

    ``stores``, ``priority`` and ``token`` are those of the job.
    """

    name: ClassVar[str] = "create_task"
    type: str = ""
    input: Mapping[str, object] = field(default_factory=dict)
    stores: tuple[str, ...] = ()
    priority: int = 0
    token: str | None = field(default=None, repr=False)


OPERATIONS: tuple[type[Operation], ...] = (ListTasks, GetTask, CreateTask)
