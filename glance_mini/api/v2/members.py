"""The members of shared images (api-members)."""

from collections.abc import Mapping

from glance_mini.api.request import Request, parse_flag
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.views import members as views
from glance_mini.api.v2.views import tasks as task_views
from glance_mini.domain.bases import Sharing
from glance_mini.domain.errors import Invalid
from glance_mini.domain.member import MEMBER_STATUSES
from glance_mini.layers.stack import Stack
from glance_mini.operations.disks import FlattenImage
from glance_mini.operations.members import AddMember, DeleteMember, GetMember, ListMembers, UpdateMember

MAX_MEMBER_ID = 255


class ImageMembersController:
    """Answers ``/v2/images/{image_id}/members`` and what is below it."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def index(self, request: Request, image_id: str) -> Response:
        """Show the members of an image."""
        return json_response(views.index(self.domain.call(request.context, ListMembers(image_id))))

    def create(self, request: Request, image_id: str) -> Response:
        """Share an image with a project; with ``?flatten=true``, an incremental one is made whole first if needed."""
        member_id = _text(request.json_object(), "member")
        if len(member_id) > MAX_MEMBER_ID:
            raise Invalid(reason=f"The id of a member has at most {MAX_MEMBER_ID} characters.")
        if parse_flag(request, "flatten"):
            op = FlattenImage(image_id, sharing=Sharing(member=member_id))
            if (job := self.domain.call(request.context, op)) is not None:
                return json_response(task_views.show(job), 202)
        member = self.domain.call(request.context, AddMember(image_id, member_id=member_id))
        return json_response(views.show(member))

    def show(self, request: Request, image_id: str, member_id: str) -> Response:
        """Show one member."""
        return json_response(views.show(self.domain.call(request.context, GetMember(image_id, member_id=member_id))))

    def update(self, request: Request, image_id: str, member_id: str) -> Response:
        """Accept or reject an image that is shared with the caller's project."""
        status = _text(request.json_object(), "status")
        if status not in MEMBER_STATUSES:
            raise Invalid(reason=f"The status of a member must be one of {', '.join(MEMBER_STATUSES)}.")
        op = UpdateMember(image_id, member_id=member_id, status=status)
        return json_response(views.show(self.domain.call(request.context, op)))

    def delete(self, request: Request, image_id: str, member_id: str) -> Response:
        """Stop sharing an image with a project."""
        self.domain.call(request.context, DeleteMember(image_id, member_id=member_id))
        return empty_response()


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(reason=f"The body must have the member '{name}', a string that is not empty.")
    return value
