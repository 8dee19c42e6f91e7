"""The schemas of a member of a shared image and of a list of them."""

from glance_mini.api.v2.schemas.shapes import ObjectSchema, collection, minimal
from glance_mini.domain.member import MEMBER_STATUSES

_TEXT = {"type": "string"}


def member_schema() -> ObjectSchema:
    """Return the schema of a member."""
    return minimal(
        "member",
        {
            "created_at": {**_TEXT, "description": "When the image was shared."},
            "image_id": {**_TEXT, "description": "The image that is shared."},
            "member_id": {**_TEXT, "description": "The project that it is shared with."},
            "schema": {**_TEXT, "readOnly": True},
            "status": {**_TEXT, "enum": list(MEMBER_STATUSES), "description": "Whether the project accepts the image."},
            "updated_at": {**_TEXT, "description": "When the membership last changed."},
        },
    )


def members_schema() -> ObjectSchema:
    """Return the schema of the list of members."""
    return collection("members", member_schema(), paged=False)
