"""The query of a list of tasks as a value (reference 13, 4.5)."""

import re

from glance_mini.api.v2.image_query import DIRECTIONS, Parameters, choice, parse_limit
from glance_mini.api.v2.schemas.images import UUID_PATTERN
from glance_mini.domain.errors import Invalid
from glance_mini.domain.job import JOB_STATES, TASK_KINDS, JobQuery

TYPES = ("import",)
"""The types of task that can be asked for."""

SORT_KEYS = {
    "id": "id",
    "type": "kind",
    "status": "state",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "expires_at": "expires_at",
}
"""What tasks are sorted by, as fields of a job."""

_UUID = re.compile(UUID_PATTERN)


def parse_task_query(parameters: Parameters, default_limit: int, max_limit: int) -> JobQuery:
    """Return what ``parameters`` ask for, the last one of a name; Invalid for the first thing that cannot be."""
    last = dict(parameters)
    kind, state, marker = last.get("type"), last.get("status"), last.get("marker")
    if marker is not None and not _UUID.fullmatch(marker):
        raise Invalid(reason="The marker must be the id of a task.")
    return JobQuery(
        kinds=TASK_KINDS if kind is None else (choice("type", kind, TYPES),),
        state=None if state is None else choice("status", state, JOB_STATES),
        sort_key=SORT_KEYS[choice("A sort key", last.get("sort_key", "created_at"), SORT_KEYS)],
        sort_dir=choice("A sort direction", last.get("sort_dir", "desc"), DIRECTIONS),
        marker=marker,
        limit=parse_limit(last.get("limit"), default_limit, max_limit),
    )
