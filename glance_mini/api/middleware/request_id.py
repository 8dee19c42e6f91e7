"""The id of a request: made here, sent in the response, named in the thread's log lines (api-conventions-headers)."""

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIEnvironment

from oslo_context.context import RequestContext

from glance_mini.api.errors import RequestIdTooLong
from glance_mini.domain.context import Context

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

HEADER = "x-openstack-request-id"

Headers = list[tuple[str, str]]
Write = Callable[[bytes], object]

_USABLE = re.compile(r"[A-Za-z0-9_.:-]+")


def take_request_id(environ: WSGIEnvironment, max_length: int) -> tuple[str, str | None]:
    """Return a new id and the client's own, None if it sent no usable one; raises RequestIdTooLong."""
    sent = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
    if len(sent) > max_length:
        raise RequestIdTooLong(limit=max_length)
    return f"req-{uuid.uuid4()}", sent if _USABLE.fullmatch(sent) else None


def answering_with(request_id: str, start_response: StartResponse) -> StartResponse:
    """Return a ``start_response`` that adds the header ``x-openstack-request-id``, unless another node has set it."""

    def start(status: str, headers: Headers, exc_info: "OptExcInfo | None" = None) -> Write:
        if not any(name.lower() == HEADER for name, _ in headers):
            headers = [*headers, (HEADER, request_id)]
        return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

    return start


def remember(context: Context | None) -> None:
    """Let the log lines of this thread name ``context``; None: no caller."""
    known = context or Context()
    RequestContext(
        user_id=known.user_id,
        project_id=known.project_id,
        request_id=known.request_id or "-",
        global_request_id=known.global_request_id,
        overwrite=True,
    )
