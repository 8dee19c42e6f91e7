"""The log of events: what has changed lately, and who may know of it (api-events).

The log is for clients that follow changes. Notifications for the broker are ``domain.event``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from glance_mini.domain.image import Image
from glance_mini.domain.job import TASK_KINDS, Job
from glance_mini.domain.member import Member

IMAGE_CREATE = "image.create"
IMAGE_UPDATE = "image.update"
IMAGE_DELETE = "image.delete"
IMAGE_GONE = "image.gone"

LONGEST_MESSAGE = 1000
"""The characters of the message of a task that an event has."""

_EVERYONES = ("public", "community")


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may see something: ``everyone``, or ``projects`` and the members of the image ``members_of``.

    Administrators see everything. What is read from the log has the members among its ``projects``.
    """

    everyone: bool = False
    projects: tuple[str, ...] = ()
    members_of: str | None = None


NOBODY = Audience()


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event: ``data`` is for those ``after`` the change may see it.

    Those of ``before`` who are not in ``after`` learn only that it is gone. ``id`` is None until the event is stored;
    a later event may be stored with a smaller id, because changes at the same time end in any order.
    """

    type: str
    data: Mapping[str, object]
    after: Audience
    before: Audience = NOBODY
    id: int | None = field(default=None, compare=False)

    @property
    def image_id(self) -> str | None:
        """The image that the event is about; None for a task without one."""
        name = "id" if self.type in (IMAGE_CREATE, IMAGE_UPDATE, IMAGE_DELETE) else "image_id"
        found = self.data.get(name)
        return None if found is None else str(found)

    @property
    def is_of_task(self) -> bool:
        """Whether the event is about a task."""
        return self.type.startswith("task.")


def creation_of(image: Image) -> LoggedEvent:
    """Return the event of a new image."""
    return LoggedEvent(IMAGE_CREATE, _shown(image), audience_of(image))


def change_of(before: Image, after: Image) -> LoggedEvent | None:
    """Return the event of a changed, deleted or restored image; None if nobody could or can see it."""
    seen_before, seen_after = audience_of(before), audience_of(after)
    if seen_before == seen_after == NOBODY:
        return None
    kind = IMAGE_DELETE if seen_after == NOBODY else IMAGE_UPDATE
    data = {"id": after.id} if seen_after == NOBODY else _shown(after)
    return LoggedEvent(kind, data, seen_after, NOBODY if seen_before == seen_after else seen_before)


def event_of_member(kind: str, member: Member, owner: str | None, visibility: str) -> LoggedEvent:
    """Return the event ``image.member.<kind>`` for the owner of the image and the member.

    A member that was removed is told that the image is gone, unless everyone may see it.
    """
    both = Audience(projects=tuple(project for project in (owner, member.member_id) if project is not None))
    data = {"image_id": member.image_id, "member_id": member.member_id, "status": member.status}
    loses = kind == "delete" and owner is not None and owner != member.member_id and visibility not in _EVERYONES
    if not loses:
        return LoggedEvent(f"image.member.{kind}", data, both)
    return LoggedEvent(f"image.member.{kind}", data, Audience(projects=(str(owner),)), both)


def event_of_task(kind: str, job: Job) -> LoggedEvent | None:
    """Return the event ``task.<kind>`` for the project of ``job``; None if it is no task."""
    if job.kind not in TASK_KINDS:
        return None
    data = {
        "id": job.id,
        "type": job.task_type,
        "status": job.state,
        "image_id": job.image_id,
        "message": job.message[:LONGEST_MESSAGE],
        "updated_at": job.updated_at,
    }
    return LoggedEvent(f"task.{kind}", data, Audience(projects=() if job.project_id is None else (job.project_id,)))


def audience_of(image: Image) -> Audience:
    """Return who may see ``image``, as for a call that shows it (api-images-visibility)."""
    if image.deleted_at is not None or image.status == "deleted":
        return NOBODY
    if image.owner is None or image.visibility in _EVERYONES:
        return Audience(everyone=True)
    return Audience(projects=(image.owner,), members_of=image.id if image.visibility == "shared" else None)


def _shown(image: Image) -> dict[str, object]:
    """Return what an event tells of an image: no custom property, which property protection may hide."""
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": image.visibility,
        "owner": image.owner,
        "size": image.size,
        "disk_format": image.disk_format,
        "os_hidden": image.os_hidden,
        "updated_at": image.updated_at,
    }
