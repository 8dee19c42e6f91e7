"""The tags of images, one by one (api-tags)."""

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.api.v2.schemas.images import MAX_TEXT
from glance_mini.domain.changes import TagChange
from glance_mini.domain.errors import Invalid
from glance_mini.layers.stack import Stack
from glance_mini.operations.images import UpdateImage


class ImageTagsController:
    """Answers ``/v2/images/{image_id}/tags/{tag}``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def update(self, request: Request, image_id: str, tag: str) -> Response:
        """Put a tag on an image."""
        if len(tag) > MAX_TEXT:
            raise Invalid(reason=f"A tag has at most {MAX_TEXT} characters, not {len(tag)}.")
        self.domain.call(request.context, UpdateImage(image_id, changes=(TagChange("add", tag),)))
        return empty_response()

    def delete(self, request: Request, image_id: str, tag: str) -> Response:
        """Take a tag off an image."""
        self.domain.call(request.context, UpdateImage(image_id, changes=(TagChange("remove", tag),)))
        return empty_response()
