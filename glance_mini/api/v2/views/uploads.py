"""Upload sessions as headers and as JSON (api-uploads)."""

from collections.abc import Sequence
from datetime import UTC
from email.utils import format_datetime

from glance_mini.domain.upload_session import JOINED, PART, UploadSession


def index(sessions: Sequence[UploadSession]) -> dict[str, object]:
    """Return a list of sessions."""
    return {"uploads": [_session(session) for session in sessions]}


def state(session: UploadSession) -> dict[str, str]:
    """Return the headers that say how far an upload is."""
    headers = {"Upload-Offset": str(session.received)}
    if session.expires_at is not None and not session.is_finished:
        headers["Upload-Expires"] = format_datetime(session.expires_at.replace(tzinfo=UTC), usegmt=True)
    return headers


def head(session: UploadSession) -> dict[str, str]:
    """Return the headers that describe an upload."""
    headers = state(session) | {"Upload-Length": str(session.size)}
    if session.metadata:
        headers["Upload-Metadata"] = session.metadata
    if session.kind == PART:
        headers["Upload-Concat"] = "partial"
    elif session.kind == JOINED:
        paths = (f"/v2/images/{session.image_id}/upload/{part}" for part in session.parts)
        headers["Upload-Concat"] = f"final;{' '.join(paths)}"
    return headers


def _session(session: UploadSession) -> dict[str, object]:
    return {
        "id": session.id,
        "image_id": session.image_id,
        "kind": session.kind,
        "size": session.size,
        "received": session.received,
        "is_finished": session.is_finished,
        "store": session.store,
        "metadata": session.metadata,
        "user_id": session.user_id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
    }
