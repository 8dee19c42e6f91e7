"""The tasks of an image (reference 4.9)."""

from glance_mini.api.request import Request
from glance_mini.api.response import Response, json_response
from glance_mini.api.v2.views import tasks as views
from glance_mini.layers.stack import Stack
from glance_mini.operations.imports import ListImageTasks


class ImageTasksController:
    """Answers ``/v2/images/{image_id}/tasks``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def index(self, request: Request, image_id: str) -> Response:
        """Show what is done, or was done, for an image."""
        return json_response(views.of_image(self.domain.call(request.context, ListImageTasks(image_id))))
