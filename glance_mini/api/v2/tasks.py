"""Tasks: what the API shows of jobs (reference section 13)."""

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, json_response
from glance_mini.api.v2.image_query import parse_parameters
from glance_mini.api.v2.image_rules import ImageRules
from glance_mini.api.v2.schemas.shapes import Schema
from glance_mini.api.v2.task_query import parse_task_query
from glance_mini.api.v2.views import tasks as views
from glance_mini.domain.errors import Invalid
from glance_mini.domain.import_task import KIND, description_of
from glance_mini.layers.stack import Stack
from glance_mini.operations.tasks import CreateTask, GetTask, ListTasks


class TasksController:
    """Answers ``/v2/tasks`` and ``/v2/tasks/{task_id}``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, schema: Schema) -> None:
        self.domain = domain
        self._rules = ImageRules(schema)
        self._limits = (conf.limit_param_default, conf.api_limit_max)

    def index(self, request: Request) -> Response:
        """Show a page of tasks."""
        parameters = parse_parameters(request.query_string)
        query = parse_task_query(parameters, *self._limits)
        found = self.domain.call(request.context, ListTasks(query))
        return json_response(views.page(found, parameters, query.limit))

    def create(self, request: Request) -> Response:
        """Begin a task of the old kind; the image that it is to make is checked like one that a request makes."""
        body = request.json_object()
        if body.get("type") != KIND:
            raise Invalid(reason=f"The type of a task must be '{KIND}'.")
        if not isinstance(body.get("input"), dict):
            raise Invalid(reason="The body must have the member 'input', an object.")
        self._rules.check_new(description_of(body["input"]))
        job = self.domain.call(request.context, CreateTask(type=KIND, input=body["input"]))
        return json_response(views.show(job), 201, {"Location": f"/v2/tasks/{job.id}"})

    def show(self, request: Request, task_id: str) -> Response:
        """Show a task."""
        return json_response(views.show(self.domain.call(request.context, GetTask(task_id))))
