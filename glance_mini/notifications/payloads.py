"""The payloads of notifications (api-notifications). They never contain locations, which may hold credentials."""

from datetime import datetime

from glance_mini.domain.image import PLAIN_FIELDS, Image, plain_values
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.domain.verification import Finding

Payload = dict[str, object]
"""A new dict for each call; the caller may add to it."""


def image_payload(image: Image) -> Payload:
    """Return the payload of an ``image.*`` event of ``image``."""
    return {
        **dict(zip(PLAIN_FIELDS, plain_values(image), strict=True)),
        "created_at": shown_time(image.created_at),
        "updated_at": shown_time(image.updated_at),
        "is_public": image.visibility == "public",
        "properties": dict(image.properties),
        "tags": list(image.tags),
        "deleted": image.deleted_at is not None,
        "deleted_at": shown_time(image.deleted_at),
    }


def transfer_payload(image: Image) -> Payload:
    """Return the payload of ``image.prepare`` and ``image.upload``: the image and the progress of its import."""
    return {
        **image_payload(image),
        "os_glance_importing_to_stores": _stores(image, "os_glance_importing_to_stores"),
        "os_glance_failed_import": _stores(image, "os_glance_failed_import"),
    }


def send_payload(image: Image, sent: int, user_id: str | None, project_id: str | None) -> Payload:
    """Return the payload of ``image.send``: ``sent`` bytes went to that user."""
    return {
        "bytes_sent": sent,
        "image_id": image.id,
        "owner_id": image.owner,
        "receiver_tenant_id": project_id,
        "receiver_user_id": user_id,
    }


def member_payload(member: Member) -> Payload:
    """Return the payload of an ``image.member.*`` event of ``member``."""
    return {
        "image_id": member.image_id,
        "member_id": member.member_id,
        "status": member.status,
        "created_at": shown_time(member.created_at),
        "updated_at": shown_time(member.updated_at),
        "deleted": member.deleted_at is not None,
        "deleted_at": shown_time(member.deleted_at),
    }


def task_payload(job: Job) -> Payload:
    """Return the payload of a ``task.*`` event of ``job``, without its input, result and message."""
    return {
        "id": job.id,
        "type": job.task_type,
        "status": job.state,
        "owner": job.project_id,
        "result": None,
        "message": None,
        "expires_at": shown_time(job.expires_at),
        "created_at": shown_time(job.created_at),
        "updated_at": shown_time(job.updated_at),
        "deleted": False,
        "deleted_at": None,
    }


def finding_payload(finding: Finding) -> Payload:
    """Return the payload of a ``store.*`` event: what a verification has found, and what it did."""
    return {
        "store": finding.store,
        "kind": finding.kind,
        "state": finding.state,
        "reason": finding.reason,
        "image_id": finding.image_id,
        "name": finding.name,
        "size": finding.size,
    }


def failure_payload(operation: str, image_id: str | None, request_id: str, code: str, message: str) -> Payload:
    """Return the payload of an ``error`` or ``warn`` event: the operation and its error."""
    return {
        "operation": operation,
        "image_id": image_id,
        "request_id": request_id,
        "code": code,
        "message": message,
    }


def shown_time(value: datetime | None) -> str | None:
    """Return a time as payloads show it."""
    return None if value is None else f"{value.isoformat(timespec='seconds')}Z"


def _stores(image: Image, name: str) -> list[str]:
    return [store for store in (image.properties.get(name) or "").split(",") if store]
