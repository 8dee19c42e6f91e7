"""The events of each data call: one table for events that are stored with the change and for those sent after it.

An API call may make several data calls. Each causes its events when it is committed, even if a later one of the
same API call fails: an image that was deleted and restored has the events of a deletion and an update.
"""

from collections.abc import Callable, Iterable, Mapping

from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event, Payload
from glance_mini.domain.image import Image
from glance_mini.domain.imports import FAILED_PROPERTY, IMPORTING_PROPERTY, ImportBegun
from glance_mini.domain.job import FINISHED, TASK_KINDS, Job
from glance_mini.domain.member import Member
from glance_mini.notifications import metadef_rules
from glance_mini.notifications.payloads import (
    finding_payload,
    image_payload,
    member_payload,
    task_payload,
    transfer_payload,
)
from glance_mini.operations import bases, disks, images, jobs, locations, members, records, verification
from glance_mini.operations.base import DataCall

_JOB_REQUESTS = frozenset(operation.name for operation in disks.OPERATIONS)
"""Operations whose job does not change the image before its end."""

Rule = Callable[[object, object, Cause | None], Iterable[Event]]
"""A function that returns the events of a call from the call, its result and its cause."""


def events_for(call: DataCall[object], result: object, cause: Cause | None) -> list[Event]:
    """Return the events of ``call``; its ``result`` is committed or about to be.

    Without a ``cause`` only jobs cause events, which name the user for whom the job acts.
    """
    rule = RULES.get(type(call))
    return list(rule(call, result, cause)) if rule else []


def _image(kind: str) -> Rule:
    return lambda call, image, cause: _of_image(cause, image, kind)


def _member(kind: str) -> Rule:
    def rule(call: object, member: object, cause: Cause | None) -> Iterable[Event]:
        assert isinstance(member, Member)
        if cause is not None:
            yield Event(kind, member_payload(member), caller=cause.caller(), image_id=member.image_id)

    return rule


def _of_image(cause: Cause | None, image: object, *kinds: str) -> Iterable[Event]:
    assert isinstance(image, Image)
    if cause is not None:
        for kind in kinds:
            payload = transfer_payload(image) if kind == "image.upload" else image_payload(image)
            yield Event(kind, payload, caller=cause.caller(), image_id=image.id)


def _update(call: object, image: object, cause: Cause | None) -> Iterable[Event]:
    added = cause is not None and cause.operation == locations.AddLocation.name
    yield from _of_image(cause, image, *(("image.activate", "image.update") if added else ("image.update",)))


def _begin_transfer(call: object, image: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(call, records.BeginTransfer) and isinstance(image, Image)
    if cause is not None and not call.to_staging:
        payload = {**transfer_payload(image), "status": "saving"}
        payload |= {"backend": cause.store} if cause.store else {}
        yield Event("image.prepare", payload, caller=cause.caller(), image_id=image.id)


def _record_data(call: object, image: object, cause: Cause | None) -> Iterable[Event]:
    yield from _of_image(cause, image, "image.upload", "image.activate", "image.update")


def _begin_import(call: object, begun: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(call, records.BeginImport) and isinstance(begun, ImportBegun)
    for broken in begun.broken:
        yield from _end_of_task(call, broken, cause)
    if cause is None:
        return
    if cause.operation in _JOB_REQUESTS:
        yield Event("task.create", task_payload(begun.job), caller=cause.caller(), image_id=begun.image.id)
    elif cause.operation == "import_image":
        if call.job.process is None:
            yield Event("task.create", task_payload(begun.job), caller=cause.caller(), image_id=begun.image.id)
        payload = _prepare_payload(begun.image, begun.job)
        yield Event("image.prepare", payload, caller=cause.caller(), image_id=begun.image.id)
    elif begun.image.status == "importing":
        # A job that only reads the data of an active image changes nothing that users see.
        yield from _of_image(cause, begun.image, "image.update")


def _prepare_payload(image: Image, job: Job) -> Payload:
    stores = {IMPORTING_PROPERTY: list(job.stores), FAILED_PROPERTY: []}
    return {**transfer_payload(image), **stores}


def _record_import(call: object, image: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(call, records.RecordImport)
    activate = ("image.activate",) if call.status == "active" else ()
    yield from _of_image(cause, image, "image.upload", *activate, "image.update")


def _end_import(call: object, image: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(call, records.EndImport)
    activate = ("image.activate",) if call.status == "active" else ()
    yield from _of_image(cause, image, *activate, "image.update")


def _add_job(call: object, job: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(job, Job)
    if cause is not None and job.kind in TASK_KINDS:
        yield Event("task.create", task_payload(job), caller=cause.caller(), image_id=job.image_id)


def _begin_of_task(call: object, job: object, cause: Cause | None) -> Iterable[Event]:
    if isinstance(job, Job) and job.attempts == 1:
        yield from _of_task(job, "task.run", "task.processing")


def _end_of_task(call: object, job: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(job, Job)
    if job.state in FINISHED:
        yield from _of_task(job, f"task.{job.state}")


def _of_task(job: Job, *kinds: str) -> Iterable[Event]:
    if job.kind in TASK_KINDS:
        caller = Cause(job.task_type, job.user_id, job.project_id, job.roles, job.request_id or "").caller()
        for kind in kinds:
            yield Event(kind, task_payload(job), caller=caller, image_id=job.image_id)


def _findings(call: object, recorded: object, cause: Cause | None) -> Iterable[Event]:
    assert isinstance(call, verification.RecordFindings)
    caller = (cause or Cause("verify")).caller()
    for each in call.findings:
        priority = "warn" if each.is_open else "info"
        yield Event(f"store.{each.kind}", finding_payload(each), priority, caller, each.image_id)


RULES: Mapping[type[DataCall[object]], Rule] = {
    images.CreateImage: _image("image.create"),
    images.UpdateImage: _update,
    images.RestoreImage: _image("image.update"),
    records.SetStatus: _image("image.update"),
    records.MarkDeleted: _image("image.delete"),
    records.MoveToTrash: _image("image.delete"),
    records.UndoDeletion: _image("image.update"),
    records.BeginTransfer: _begin_transfer,
    records.RecordData: _record_data,
    records.RecordStaged: _image("image.update"),
    records.BeginImport: _begin_import,
    records.RecordImport: _record_import,
    records.EndImport: _end_import,
    bases.ReplaceData: _image("image.update"),
    members.AddMember: _member("image.member.create"),
    members.UpdateMember: _member("image.member.update"),
    members.DeleteMember: _member("image.member.delete"),
    verification.RecordFindings: _findings,
    jobs.AddJob: _add_job,
    jobs.ClaimJob: _begin_of_task,
    jobs.FinishJob: _end_of_task,
    jobs.CancelJob: _end_of_task,
    **metadef_rules.RULES,
}
"""A data call without a rule causes no event."""
