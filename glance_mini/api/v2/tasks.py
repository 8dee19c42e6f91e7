"""Tasks: what the API shows of jobs (api-tasks)."""

import re

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, json_response
from glance_mini.api.v2.image_query import DIRECTIONS, Parameters, choice, parse_limit, parse_parameters
from glance_mini.api.v2.image_rules import ImageRules
from glance_mini.api.v2.schemas.images import UUID_PATTERN
from glance_mini.api.v2.schemas.shapes import ObjectSchema
from glance_mini.api.v2.views import tasks as views
from glance_mini.domain.errors import Invalid
from glance_mini.domain.import_task import KIND, description_of
from glance_mini.domain.job import JOB_STATES, TASK_KINDS, JobQuery
from glance_mini.layers.stack import Stack
from glance_mini.operations.tasks import CancelTask, CreateTask, GetTask, ListImageTasks, ListTasks, RetryTask


class TasksController:
    """Answers ``/v2/tasks`` and ``/v2/tasks/{task_id}``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, schema: ObjectSchema) -> None:
        self.domain = domain
        self._rules = ImageRules(schema)
        self._limits = (conf.limit_param_default, conf.api_limit_max)

    def index(self, request: Request) -> Response:
        """Show a page of tasks."""
        parameters = parse_parameters(request.query_string)
        query = parse_task_query(parameters, *self._limits)
        found = self.domain.call(request.context, ListTasks(query))
        return json_response(views.page(found, parameters))

    def create(self, request: Request) -> Response:
        """Create a task of the old kind; its image is checked like that of a create request."""
        body = request.json_object()
        if body.get("type") != KIND:
            raise Invalid(reason=f"The type of a task must be '{KIND}'.")
        values = body.get("input")
        if not isinstance(values, dict):
            raise Invalid(reason="The body must have the member 'input', an object.")
        self._rules.check_new(description_of(values))
        job = self.domain.call(request.context, CreateTask(type=KIND, input=values))
        return json_response(views.show(job), 201, {"Location": f"/v2/tasks/{job.id}"})

    def show(self, request: Request, task_id: str) -> Response:
        """Show a task."""
        return json_response(views.show(self.domain.call(request.context, GetTask(task_id))))

    def cancel(self, request: Request, task_id: str) -> Response:
        """Cancel a task that has not ended."""
        return json_response(views.show(self.domain.call(request.context, CancelTask(task_id))))

    def retry(self, request: Request, task_id: str) -> Response:
        """Begin a failed task again."""
        return json_response(views.show(self.domain.call(request.context, RetryTask(task_id))))


class ImageTasksController:
    """Answers ``/v2/images/{image_id}/tasks``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._limits = (min(TASKS_OF_IMAGE, conf.api_limit_max),) * 2

    def index(self, request: Request, image_id: str) -> Response:
        """Show a page of the current and past tasks of an image, the oldest first."""
        parameters = parse_parameters(request.query_string)
        last = dict(parameters)
        limit = parse_limit(last.get("limit"), *self._limits)
        op = ListImageTasks(image_id, marker=_marker(last.get("marker")), limit=limit)
        return json_response(views.of_image(self.domain.call(request.context, op), image_id, parameters))


TASKS_OF_IMAGE = 100
"""The largest number of tasks of an image in a page, and the default: few clients ask for a second page."""

TYPES = ("import",)
"""The task types that a client may name."""

SORT_KEYS = {
    "id": "id",
    "type": "kind",
    "status": "state",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "expires_at": "expires_at",
}
"""The sort keys of tasks, and their fields of a job."""

_UUID = re.compile(UUID_PATTERN)


def parse_task_query(parameters: Parameters, default_limit: int, max_limit: int) -> JobQuery:
    """Return the query that ``parameters`` describe, the last one of a name; Invalid for the first invalid one."""
    last = dict(parameters)
    kind, state = last.get("type"), last.get("status")
    return JobQuery(
        kinds=TASK_KINDS if kind is None else (choice("type", kind, TYPES),),
        state=None if state is None else choice("status", state, JOB_STATES),
        sort_key=SORT_KEYS[choice("A sort key", last.get("sort_key", "created_at"), SORT_KEYS)],
        sort_dir=choice("A sort direction", last.get("sort_dir", "desc"), DIRECTIONS),
        marker=_marker(last.get("marker")),
        limit=parse_limit(last.get("limit"), default_limit, max_limit),
    )


def _marker(text: str | None) -> str | None:
    if text is not None and not _UUID.fullmatch(text):
        raise Invalid(reason="The marker must be the id of a task.")
    return text
