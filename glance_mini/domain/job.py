"""Jobs: work that takes too long for a request, as durable rows.

One worker at a time holds a job by a lease and saves its progress in ``checkpoint``. When a worker dies, its lease
expires and another worker continues from the checkpoint. The public *task* of the API is a view of a job.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from glance_mini.domain.acting import ActsForCaller, of_caller
from glance_mini.domain.context import Context
from glance_mini.domain.fields import SECRET, with_fields

PENDING, PROCESSING, SUCCESS, FAILURE = JOB_STATES = ("pending", "processing", "success", "failure")

FINISHED = frozenset({SUCCESS, FAILURE})

IMPORT = "api_image_import"
"""The kind of job that imports an image."""

LOCAL_IMPORT = "local_image_import"
"""The kind of job that imports an image from a local file system to the same one, which is quick."""

LINK_UPLOAD = "link_upload"
"""The kind of job that makes data that was sent to a store by a link the data of an image."""

FINISH_UPLOAD = "finish_upload"
"""The kind of job that finishes an upload whose bytes are all there, because its request did not."""

SCRUB = "scrub"
"""The kind of job that deletes an image permanently when it can no longer be restored."""

VERIFY = "verify"
"""The kind of job that verifies what the stores hold."""

DISK_HASHES = "disk_hashes"
"""The kind of job that computes the hashes of the complete disk of an incremental image."""

COALESCE, REBASE, CONVERT = DATA_KINDS = ("image_coalesce", "image_rebase", "image_convert")
"""The kinds of job that give an active image other data with the same disk."""

TASK_KINDS = ("import", IMPORT, LOCAL_IMPORT, "location_import", LINK_UPLOAD, FINISH_UPLOAD, *DATA_KINDS)
"""The kinds of job that the tasks API shows (api-tasks)."""


@dataclass(frozen=True, slots=True)
class Job(ActsForCaller):
    """One piece of work; times in UTC without a zone, None until the row exists.

    ``kind`` names its job type. A higher ``priority`` comes first; ``due_at`` is the time from which it may run.
    ``stores`` are the stores that it writes to and whose job limits count it. ``node_url`` is the URL of the only
    node that can run it, because the data is on that node's own disk; None if any node can. ``attempts`` is the number
    of times it was started. ``token`` is the caller's token, for work in their name elsewhere; the end of the job
    erases it. ``is_admin``: whether the caller was an administrator by the policy rules when the job was made; a worker
    does not decide this again.
    """

    id: str
    kind: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    due_at: datetime | None = None
    image_id: str | None = None
    request_id: str | None = None
    is_admin: bool = False
    input: Mapping[str, object] = field(default_factory=dict)
    state: str = PENDING
    priority: int = 0
    stores: tuple[str, ...] = ()
    node_url: str | None = None
    checkpoint: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] | None = None
    message: str = ""
    attempts: int = 0
    process: str | None = None
    lease_until: datetime | None = None
    is_cancelled: bool = False
    expires_at: datetime | None = None
    token: str | None = field(default=None, repr=False, metadata={SECRET: True})

    @property
    def task_type(self) -> str:
        """The type of the task as clients see it: they do not know that some imports are quick."""
        return IMPORT if self.kind == LOCAL_IMPORT else self.kind


@dataclass(frozen=True, slots=True)
class JobLimits:
    """The number of jobs that may run at once for one project and for one store; None means any number.

    For a project the jobs of the kinds that are claimed count, for a store all jobs. A claim skips jobs beyond these
    limits. Among jobs of equal priority the project with the fewest running jobs comes first, and then the oldest job.
    """

    per_project: int | None = None
    per_store: int | None = None


NO_JOB_LIMITS = JobLimits()


@dataclass(frozen=True, slots=True)
class JobQuery:
    """A page of jobs, sorted by one key, after the job ``marker``; filters that are not None must be equal.

    The page ends before a job with which inputs, checkpoints, results and messages would have more than ``max_bytes``
    together; it has at least one job.
    """

    kinds: tuple[str, ...] = TASK_KINDS
    state: str | None = None
    image_id: str | None = None
    project_id: str | None = None
    sort_key: str = "created_at"
    sort_dir: str = "desc"
    marker: str | None = None
    limit: int = 25
    max_bytes: int = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs in order; ``next_marker`` is the id of the last one of ``jobs``, None if no page follows."""

    jobs: tuple[Job, ...]
    next_marker: str | None = None


def new_job(
    context: Context,
    kind: str,
    values: Mapping[str, object],
    *,
    image_id: str | None = None,
    stores: tuple[str, ...] = (),
    priority: int = 0,
    token: str | None = None,
) -> Job:
    """Return a pending job of the caller with the input ``values``."""
    job = Job(
        id=str(uuid4()),
        kind=kind,
        image_id=image_id,
        request_id=context.request_id,
        is_admin=context.is_admin,
        input=values,
        priority=priority,
        stores=stores,
        token=token,
    )
    return with_fields(job, **of_caller(context))
