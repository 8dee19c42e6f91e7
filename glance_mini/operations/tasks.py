"""Operations on tasks, which are views of jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glance_mini.domain.job import Job, JobPage, JobQuery
from glance_mini.operations.base import DataQuery, ImageOperation, Operation


@dataclass(frozen=True)
class ListTasks(DataQuery[JobPage]):
    """Return a page of jobs; raises Invalid if the marker is not a job."""

    name: ClassVar[str] = "list_tasks"
    internal: ClassVar[bool] = False
    query: JobQuery = field(default_factory=JobQuery)


@dataclass(frozen=True)
class ListImageTasks(ImageOperation[JobPage]):
    """Return a page of the jobs of the image that the API shows as tasks, oldest first, after the job ``marker``."""

    name: ClassVar[str] = "list_image_tasks"
    writes: ClassVar[bool] = False
    marker: str | None = None
    limit: int = 100


@dataclass(frozen=True)
class GetTask(Operation[Job]):
    """Return one job; raises NotFound."""

    name: ClassVar[str] = "get_task"
    writes: ClassVar[bool] = False
    task_id: str = ""


@dataclass(frozen=True)
class CreateTask(Operation[Job]):
    """Begin a task of the legacy type ``import`` and return its job; raises Invalid.

    ``stores``, ``priority`` and ``token`` are those of the job.
    """

    name: ClassVar[str] = "create_task"
    type: str = ""
    input: Mapping[str, object] = field(default_factory=dict)
    stores: tuple[str, ...] = ()
    priority: int = 0
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CancelTask(Operation[Job]):
    """Cancel a job and return it; raises NotFound, Conflict if it has ended. One that runs stops at its next step."""

    name: ClassVar[str] = "cancel_task"
    task_id: str = ""


@dataclass(frozen=True)
class RetryTask(Operation[Job]):
    """Make a failed job pending again and return it; raises NotFound, Conflict in other states."""

    name: ClassVar[str] = "retry_task"
    task_id: str = ""


OPERATIONS: tuple[type[Operation[object]], ...] = (
    ListTasks,
    ListImageTasks,
    GetTask,
    CreateTask,
    CancelTask,
    RetryTask,
)
