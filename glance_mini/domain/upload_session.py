"""Upload sessions: uploads that may break off and go on (api-uploads).

What was sent lies in the staging area under the name of a transfer, whose id is that of the session and whose lease
ends with the session. The image stays ``queued`` until everything is there.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from glance_mini.domain.acting import ActsForCaller, context_for, of_caller
from glance_mini.domain.context import Context
from glance_mini.domain.fields import with_fields
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.domain.transfer import Transfer

WHOLE, PART, JOINED = KINDS = ("whole", "part", "joined")
"""A session for all data of an image, for a part of it, and one that joins parts, to which nothing is sent."""


@dataclass(frozen=True, slots=True)
class UploadSession(ActsForCaller):
    """One upload of ``size`` bytes, of which the first ``received`` are durable.

    ``store`` is the store that the image will be in, None for the default. ``metadata`` is what the client has said
    about the data, as it was sent. ``parts`` are the ids of the parts that a session joins, in their order.
    ``node_url`` is the URL of the node on whose own disk the bytes are, None if all nodes can access them. Times are in
    UTC without a zone, None until the row exists. ``finish_at``: when a job finishes the upload if nobody does before;
    None as long as bytes are missing. ``is_finished``: the bytes are those of the image now.
    """

    id: str
    image_id: str
    size: int
    kind: str = WHOLE
    received: int = 0
    store: str | None = None
    metadata: str = ""
    parts: tuple[str, ...] = ()
    node_url: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    finish_at: datetime | None = None
    is_finished: bool = False
    is_admin: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there."""
        return self.received == self.size

    @property
    def pieces(self) -> tuple[str, ...]:
        """The ids of the sessions that hold its bytes, in their order."""
        return self.parts if self.kind == JOINED else (self.id,)

    @property
    def name(self) -> str:
        """The name of its bytes in the staging area."""
        return name_of(self.image_id, self.id)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many open sessions one image and one project may have, and how many bytes may still come; None: any number.

    ``room`` counts for all sessions together whose bytes are on the same disk.
    """

    per_image: int | None = None
    per_project: int | None = None
    room: int | None = None


NO_SESSION_LIMITS = SessionLimits()


def name_of(image_id: str, session_id: str) -> str:
    """Return the name in the staging area of the bytes of a session."""
    return f"{image_id}-{session_id[:8]}"


def process_of(session_id: str) -> str:
    """Return the holder of the transfer of a session: no process, so that any may go on."""
    return f"upload-{session_id}"


def transfer_of(image_id: str, session_id: str, project_id: str | None) -> Transfer:
    """Return the transfer of a session of an image of ``project_id``, without reserved bytes."""
    name = name_of(image_id, session_id)
    return Transfer(session_id, image_id, project_id, process_of(session_id), STAGING_STORE, name, reserved=0)


def new_session(context: Context, image_id: str, size: int, **values: object) -> UploadSession:
    """Return a session of the caller, which does not exist yet."""
    session = UploadSession(id=str(uuid4()), image_id=image_id, size=size, is_admin=context.is_admin)
    return with_fields(session, **of_caller(context), **values)


def context_of_session(session: UploadSession) -> Context:
    """Return the context of the caller who made ``session``."""
    return context_for(session, session.is_admin)
