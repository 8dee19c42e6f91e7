"""The schemas of a task and of a list of tasks."""

from glance_mini.api.v2.schemas.shapes import ObjectSchema, Schema, collection, minimal
from glance_mini.domain.job import DATA_KINDS

TYPES = ("import", "api_image_import", "location_import", "link_upload", "finish_upload", *DATA_KINDS)
STATUSES = ("pending", "processing", "success", "failure")

_TEXT: dict[str, object] = {"type": "string"}
_OPEN = {"type": ["null", "object"]}
_MAYBE_TEXT = {"type": ["null", "string"]}


def task_schema() -> ObjectSchema:
    """Return the schema of a task with all its properties."""
    return minimal(
        "task",
        {
            **_listed(),
            "input": {**_OPEN, "description": "The input of the task."},
            "result": {**_OPEN, "description": "The result so far."},
            "message": {**_TEXT, "description": "The progress of the task, or why it failed."},
            "image_id": {**_MAYBE_TEXT, "description": "The image of the task."},
            "user_id": {**_MAYBE_TEXT, "description": "The user who started it."},
            "request_id": {**_MAYBE_TEXT, "description": "The request that started it."},
        },
    )


def tasks_schema() -> ObjectSchema:
    """Return the schema of a page of tasks."""
    return collection("tasks", minimal("task", _listed()))


def _listed() -> dict[str, Schema]:
    return {
        "id": {**_TEXT, "description": "The unique id of the task."},
        "type": {**_TEXT, "enum": list(TYPES), "description": "What the task does."},
        "status": {**_TEXT, "enum": list(STATUSES), "description": "The status of the task."},
        "owner": {**_TEXT, "description": "The project that the task belongs to."},
        "expires_at": {**_MAYBE_TEXT, "description": "When the task is removed."},
        "created_at": {**_TEXT, "description": "When the task was made."},
        "updated_at": {**_TEXT, "description": "When the task last changed."},
        "self": {**_TEXT, "readOnly": True},
        "schema": {**_TEXT, "readOnly": True},
    }
