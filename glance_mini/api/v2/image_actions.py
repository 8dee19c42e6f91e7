"""Actions on images: deactivate and reactivate (reference section 7), and restore, which is our own."""

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.layers.stack import Stack
from glance_mini.operations.images import DeactivateImage, ReactivateImage, RestoreImage


class ImageActionsController:
    """Answers ``/v2/images/{image_id}/actions/…``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def deactivate(self, request: Request, image_id: str) -> Response:
        """Forbid the download of an image."""
        self.domain.call(request.context, DeactivateImage(image_id))
        return empty_response()

    def reactivate(self, request: Request, image_id: str) -> Response:
        """Allow the download of an image again."""
        self.domain.call(request.context, ReactivateImage(image_id))
        return empty_response()

    def restore(self, request: Request, image_id: str) -> Response:
        """Bring a deleted image back."""
        self.domain.call(request.context, RestoreImage(image_id))
        return empty_response()
