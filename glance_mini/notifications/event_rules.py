"""Which events tell of a write, where they are stored with it: the same that ``notifier`` publishes after a call.

A call of the API may be several writes. Each is told of when it is committed, also where a later one of the same call
fails: an image that was deleted and brought back is told as deleted and then as updated.
"""

from typing import Any

from glance_mini.domain.image import Image
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.notifications.payloads import (
    Payload,
    image_payload,
    member_payload,
    task_payload,
    transfer_payload,
)
from glance_mini.operations import data, images, imports, members, tasks
from glance_mini.operations.base import Operation

Told = tuple[str, Payload, str | None]
"""An event's type, its payload, and the image among whose events it has its place."""

_OF_IMAGE = {
    images.CreateImage: "image.create",
    images.UpdateImage: "image.update",
    images.DeleteImage: "image.delete",
    images.DeactivateImage: "image.update",
    images.ReactivateImage: "image.update",
    images.RestoreImage: "image.update",
    data.UndoDeletion: "image.update",
    imports.RecordStaged: "image.update",
}

_OF_MEMBER = {
    members.AddMember: "image.member.create",
    members.UpdateMember: "image.member.update",
    members.DeleteMember: "image.member.delete",
}


def told(op: Operation, written: Operation, result: Any) -> list[Told]:
    """Return what tells of ``written``, whose ``result`` is about to be committed, as a part of the call ``op``."""
    kind = type(written)
    if kind in _OF_MEMBER:
        return [_of_member(_OF_MEMBER[kind], result)]
    if isinstance(written, tasks.CreateTask):
        return [_of_job(result)]
    if isinstance(written, imports.BeginImport):
        return _of_beginning(op, written, result)
    return _of_image(op, written, result)


def prepared(image: Image, store: str | None) -> Payload:
    """Return what ``image.prepare`` says of an image whose data a client sends, to ``store`` where it names one."""
    payload = {**transfer_payload(image), "status": "saving"}
    return {**payload, "backend": store} if store else payload


def prepared_for(image: Image, job: Job) -> Payload:
    """Return what ``image.prepare`` says of an image whose data ``job`` is about to bring."""
    status = image.status if image.status == "active" else "importing"
    stores = {IMPORTING_PROPERTY: list(job.stores), FAILED_PROPERTY: []}
    return {**transfer_payload(image), "status": status, **stores}


def _of_image(op: Operation, written: Operation, image: Image) -> list[Told]:
    update = _plain("image.update", image)
    activate = _plain("image.activate", image)
    upload: Told = ("image.upload", transfer_payload(image), image.id)
    match written:
        case data.BeginTransfer():
            store = op.store if isinstance(op, data.UploadData) else None
            return [("image.prepare", prepared(image, store), image.id)]
        case data.RecordData():
            return [upload, activate, update]
        case imports.RecordImport():
            return [upload, activate, update] if written.status == "active" else [upload, update]
        case imports.EndImport():
            return [activate, update] if written.status == "active" else [update]
        case images.UpdateImage() if isinstance(op, imports.AddLocation):
            return [activate, update]
    return [_plain(_OF_IMAGE[type(written)], image)]


def _of_beginning(op: Operation, written: imports.BeginImport, image: Image) -> list[Told]:
    if isinstance(op, imports.ImportImage):
        created = [_of_job(written.job)] if op.job is None else []
        return [*created, ("image.prepare", prepared_for(op.target, written.job), image.id)]
    # What reads the data of an image that is active already changes nothing that is seen.
    return [_plain("image.update", image)] if image.status == "importing" else []


def _plain(event: str, image: Image) -> Told:
    return event, image_payload(image), image.id


def _of_member(event: str, member: Member) -> Told:
    return event, member_payload(member), member.image_id


def _of_job(job: Job) -> Told:
    return "task.create", task_payload(job), job.image_id
