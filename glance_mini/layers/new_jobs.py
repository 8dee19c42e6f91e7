"""Makes the jobs that requests ask for. What they do is the workers' business."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from glance_mini.domain.context import Context
from glance_mini.domain.job import Job


def new_job(
    context: Context,
    kind: str,
    values: Mapping[str, object],
    now: datetime,
    due_at: datetime | None = None,
    **fields: Any,
) -> Job:
    """Return a pending job with the input ``values`` in the name of the caller, due at once where ``due_at`` is None.

    ``fields`` are further ones of Job.
    """
    return Job(
        id=str(uuid4()),
        kind=kind,
        created_at=now,
        updated_at=now,
        due_at=due_at or now,
        project_id=context.project_id,
        user_id=context.user_id,
        request_id=context.request_id,
        roles=context.roles,
        input=values,
        **fields,
    )
