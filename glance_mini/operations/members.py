"""Operations on the members of a shared image."""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.domain.member import Member
from glance_mini.operations.base import DataCall, DataQuery, ImageOperation, Operation


@dataclass(frozen=True)
class ListMembers(ImageOperation[tuple[Member, ...]], DataQuery[tuple[Member, ...]]):
    """Return the members of the image that the caller may see, in the order of their creation.

    ``member_id`` limits the result to one project; None means all.
    """

    name: ClassVar[str] = "list_members"
    internal: ClassVar[bool] = False
    member_id: str | None = None


@dataclass(frozen=True)
class GetMember(ImageOperation[Member], DataQuery[Member]):
    """Return one member; raises NotFound if the project is not a member."""

    name: ClassVar[str] = "get_member"
    internal: ClassVar[bool] = False
    member_id: str = ""


@dataclass(frozen=True)
class AddMember(ImageOperation[Member], DataCall[Member]):
    """Share the image with a project and return the ``pending`` member.

    ``limit`` is the maximum number of members, including the new one; None means any number. Raises Duplicate if the
    project is already a member, NotFound (no such image), LimitExceeded.
    """

    name: ClassVar[str] = "add_member"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    member_id: str = ""
    limit: int | None = None


@dataclass(frozen=True)
class UpdateMember(ImageOperation[Member], DataCall[Member]):
    """Set the status of a membership and return the member; raises NotFound."""

    name: ClassVar[str] = "update_member"
    internal: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = True
    member_id: str = ""
    status: str = "pending"


@dataclass(frozen=True)
class DeleteMember(ImageOperation[Member], DataCall[Member]):
    """End a membership and return the deleted member; raises NotFound if the project is not a member."""

    name: ClassVar[str] = "delete_member"
    internal: ClassVar[bool] = False
    for_owner: ClassVar[bool] = True
    member_id: str = ""


OPERATIONS: tuple[type[Operation[object]], ...] = (ListMembers, GetMember, AddMember, UpdateMember, DeleteMember)
