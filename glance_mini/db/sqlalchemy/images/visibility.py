"""The visibility of images as SQL conditions on ``images`` (api-images-visibility, api-images-list).

The bound parameter ``project`` is the caller's project.
"""

from sqlalchemy import bindparam, exists, false, or_, true
from sqlalchemy.sql.elements import ColumnElement

from glance_mini.db.sqlalchemy.models import image_members, images
from glance_mini.domain.query import EVERYONES, ImageQuery, Scope

Condition = ColumnElement[bool]

PROJECT = bindparam("project", type_=images.c.owner.type)


def may_see(is_admin: bool, has_project: bool) -> Condition:
    """Return the condition for images that a caller may see by id."""
    if is_admin:
        return true()
    anyone = or_(images.c.visibility.in_(EVERYONES), images.c.owner.is_(None))
    if not has_project:
        return anyone
    shared = (images.c.visibility == "shared") & exists().where(
        image_members.c.image_id == images.c.id, image_members.c.member == PROJECT
    )
    return or_(anyone, images.c.owner == PROJECT, shared)


def may_restore(is_admin: bool, has_project: bool) -> Condition:
    """Return the condition for deleted images that a caller may restore: those of the caller's project."""
    return true() if is_admin else images.c.owner == PROJECT if has_project else false()


def audiences(query: ImageQuery, scope: Scope) -> tuple[str, ...]:
    """Return the names of the sets whose union a list shows; ``condition`` defines each set.

    Sets in which no image can match the filters of ``query`` are left out; the result may be empty.
    """
    if query.wants_deleted:
        return ("all",) if scope.is_admin else ("own",) if scope.project_id is not None else ()
    if scope.is_admin:
        return ("all but community",) if query.visibility is None else ("all",)
    owners = query.one_of.get("owner")
    if owners is None and query.visibility in EVERYONES:
        return (str(query.visibility),)
    found = []
    if scope.project_id is not None and (owners is None or scope.project_id in owners):
        found.append("own")
    if owners is None:
        found.append("everyone" if query.visibility in (None, "all") else "ownerless")
    elif query.visibility in (None, "all", "public"):
        found.append("public")
    if query.visibility in ("all", "community"):
        found.append("community")
    if query.visibility in (None, "all", "shared") and scope.project_id is not None:
        found += [f"shared:{status}" for status in _member_statuses(query)]
    return tuple(found) if owners is None or set(owners) - {scope.project_id} else tuple(found[:1])


def condition(part: str) -> Condition:
    """Return the condition for the images of ``part``, one of ``audiences``."""
    return _CONDITIONS[part]


def _member_statuses(query: ImageQuery) -> tuple[str, ...]:
    if query.member_status == "all":
        return ("accepted", "pending", "rejected")
    return (query.member_status,)


_CONDITIONS: dict[str, Condition] = {
    "all": true(),
    "all but community": or_(images.c.visibility != "community", images.c.owner == PROJECT, images.c.owner.is_(None)),
    "own": images.c.owner == PROJECT,
    "everyone": images.c.audience == "public",
    "ownerless": images.c.owner.is_(None),
    "public": images.c.visibility == "public",
    "community": images.c.visibility == "community",
}
