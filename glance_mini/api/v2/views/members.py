"""Members of a shared image as clients see them (api-members)."""

from collections.abc import Sequence

from glance_mini.domain.member import Member


def show(member: Member) -> dict[str, object]:
    """Return the view of one member; times in it are datetimes for ``dump_json``."""
    return {
        "member_id": member.member_id,
        "image_id": member.image_id,
        "status": member.status,
        "created_at": member.created_at,
        "updated_at": member.updated_at,
        "schema": "/v2/schemas/member",
    }


def index(members: Sequence[Member]) -> dict[str, object]:
    """Return the view of the members of an image."""
    return {"members": [show(member) for member in members], "schema": "/v2/schemas/members"}
