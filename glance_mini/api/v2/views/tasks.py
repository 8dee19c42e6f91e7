"""Tasks as clients see them (api-images-tasks, api-tasks)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urlencode

from glance_mini.domain.job import Job, JobPage
from glance_mini_store.redaction import redact

View = dict[str, object]

_ADDRESSES = frozenset({"loc_url", "import_from", "endpoint"})


def show(job: Job) -> View:
    """Return the view of one task; times in it are datetimes for ``dump_json``."""
    return {
        **_stub(job),
        "input": _input(job),
        "result": job.result,
        "message": job.message,
        "image_id": job.image_id,
        "user_id": job.user_id,
        "request_id": job.request_id,
    }


def page(found: JobPage, parameters: Iterable[tuple[str, str]]) -> View:
    """Return the view of a page; ``parameters`` are those of the request, for the links."""
    kept = [(name, value) for name, value in parameters if name != "marker"]
    view: View = {"tasks": [_stub(job) for job in found.jobs], "first": _link(kept), "schema": "/v2/schemas/tasks"}
    if found.next_marker is not None:
        view["next"] = _link([*kept, ("marker", found.next_marker)])
    return view


def of_image(found: JobPage, image_id: str, parameters: Iterable[tuple[str, str]]) -> View:
    """Return the view of a page of tasks of an image; its times have another format than in all other views."""
    view: View = {"tasks": [_of_image(job) for job in found.jobs]}
    if found.next_marker is not None:
        kept = [(name, value) for name, value in parameters if name != "marker"]
        view["next"] = f"/v2/images/{image_id}/tasks?{urlencode([*kept, ('marker', found.next_marker)])}"
    return view


def _stub(job: Job) -> View:
    path = f"/v2/tasks/{job.id}"
    return {
        "id": job.id,
        "type": job.task_type,
        "status": job.state,
        "owner": job.project_id,
        "expires_at": job.expires_at,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "self": path,
        "schema": "/v2/schemas/task",
    }


def _of_image(job: Job) -> View:
    return {
        "id": job.id,
        "image_id": job.image_id,
        "request_id": job.request_id,
        "user_id": job.user_id,
        "type": job.task_type,
        "status": job.state,
        "owner": job.project_id,
        "expires_at": _raw_time(job.expires_at),
        "created_at": _raw_time(job.created_at),
        "updated_at": _raw_time(job.updated_at),
        "deleted_at": None,
        "deleted": False,
        "input": _input(job),
        "result": job.result,
        "message": job.message,
    }


def _input(job: Job) -> Mapping[str, object]:
    """Return the input, with credentials removed from the URLs in it."""
    shown = {name: redact(str(value)) if name in _ADDRESSES else value for name, value in job.input.items()}
    request = job.input.get("import_req")
    if isinstance(request, Mapping) and isinstance(method := request.get("method"), Mapping) and "uri" in method:
        shown["import_req"] = {**request, "method": {**method, "uri": redact(str(method["uri"]))}}
    return shown


def _raw_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="microseconds")


def _link(parameters: list[tuple[str, str]]) -> str:
    return f"/v2/tasks?{urlencode(parameters)}" if parameters else "/v2/tasks"
