"""Operations on the members of a shared image (reference section 8)."""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.operations.base import ImageOperation, Operation


@dataclass(frozen=True)
class ListMembers(ImageOperation):
    """Return the members of the image that the caller may know, in the order of their creation.

    ``member_id`` narrows to one project; None means all.
    """

    name: ClassVar[str] = "list_members"
    member_id: str | None = None


@dataclass(frozen=True)
class GetMember(ImageOperation):
    """Return one member; NotFound where the project is none."""

    name: ClassVar[str] = "get_member"
    member_id: str = ""


@dataclass(frozen=True)
class AddMember(ImageOperation):
    """Share the image with a project and return the member, ``pending``; Duplicate where it is one already.

    ``limit`` is how many members the image may have, the new one counted; None means any number.
    """

    name: ClassVar[str] = "add_member"
    member_id: str = ""
    limit: int | None = None


@dataclass(frozen=True)
class UpdateMember(ImageOperation):
    """Set the status of a membership and return the member."""

    name: ClassVar[str] = "update_member"
    member_id: str = ""
    status: str = "pending"


@dataclass(frozen=True)
class DeleteMember(ImageOperation):
    """End a membership and return the member as it was; NotFound where the project is none."""

    name: ClassVar[str] = "delete_member"
    member_id: str = ""


OPERATIONS: tuple[type[Operation], ...] = (ListMembers, GetMember, AddMember, UpdateMember, DeleteMember)
