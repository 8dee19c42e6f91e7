"""Errors as HTTP: one table from class to status, and bodies of the type that Accept names (api-conventions-errors)."""

import html
import logging

from webob.acceptparse import create_accept_header
from webob.exc import WSGIHTTPException
from webob.util import status_reasons

from glance_mini.api.response import Response, dump_json
from glance_mini.domain import errors as domain
from glance_mini_store import errors as store

LOG = logging.getLogger(__name__)

INTERNAL_TEXT = "The server has met an unexpected error; its log says more."

RETRY_AFTER = "5"
"""Seconds after which a client may repeat a request that was refused with 503."""


class HttpError(domain.GlanceMiniError):
    """An error that exists only in HTTP; ``headers`` are sent with the response."""

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to this error."""
        return {}


class UnknownPath(HttpError):
    """The path does not exist."""

    code = "http.unknown_path"
    template = "The resource could not be found."


class UnknownMethod(HttpError):
    """Neither the path nor the method exists."""

    code = "http.unknown_method"
    template = "The method {method} is not known here."


class MethodNotAllowed(HttpError):
    """The path exists, but does not have this method; ``allowed`` are the methods that it has."""

    code = "http.method_not_allowed"
    template = "The method {method} is not allowed for this resource."

    def headers(self) -> dict[str, str]:
        """Return the methods that the path has."""
        return {"Allow": str(self.values["allowed"])}


class LoginRefused(HttpError):
    """The credentials are wrong, or missing, or do not reach what was asked for; the text does not say which."""

    code = "http.login"
    template = "The request you have made requires authentication."


class UnsupportedMediaType(HttpError):
    """The body is not of a type that this call accepts."""

    code = "http.media_type"
    template = "The body must be of type {wanted}."


class UnsupportedPatchType(UnsupportedMediaType):
    """The body is not a JSON patch of a known type."""

    code = "http.patch_type"

    def headers(self) -> dict[str, str]:
        """Return the patch types that are known (RFC 5789 section 2.2)."""
        return {"Accept-Patch": str(self.values["wanted"])}


class BodyTooLarge(HttpError):
    """A JSON body is longer than ``limit`` bytes."""

    code = "http.body_too_large"
    template = "The request body is larger than the limit of {limit} bytes."


class LengthRequired(HttpError):
    """The server cannot know where the body ends."""

    code = "http.length_required"
    template = "A body {reason} cannot be taken here; send Content-Length."


class UnknownTransferCoding(HttpError):
    """The transfer coding of the body is unknown (RFC 9112 section 6.1)."""

    code = "http.transfer_coding"
    template = "The transfer coding {coding} is not known here."


class RequestIdTooLong(HttpError):
    """The request id that the client sent is longer than allowed."""

    code = "http.request_id"
    template = "X-Openstack-Request-ID is longer than {limit} characters."


class MalformedRange(HttpError):
    """The Range header cannot be understood."""

    code = "http.range"
    template = "The range {range!r} cannot be understood."


class ConditionFailed(HttpError):
    """The image does not have the data that ``If-Match`` names (RFC 9110 section 13.1.1)."""

    code = "http.condition"
    template = "The image has other data than the request expects."


class UnsupportedTusVersion(HttpError):
    """The request names no version of the protocol for uploads that is known here."""

    code = "http.tus_version"
    template = "The header Tus-Resumable must be {version}."

    def headers(self) -> dict[str, str]:
        """Return the version that is known."""
        return {"Tus-Version": str(self.values["version"]), "Tus-Resumable": str(self.values["version"])}


class TooBusy(HttpError):
    """All transfer slots are in use, or all that one project may have."""

    code = "http.busy"
    template = "No more than {limit} transfers run at once; try again later."


class TooManyLocations(TooBusy):
    """Too many locations are being looked at, of everybody or of the caller's project."""

    code = "http.busy_locations"
    template = "The service is looking at {limit} other locations on web servers; try again later."


class TooManyListeners(TooBusy):
    """Too many clients follow the events, of everybody or of the caller."""

    code = "http.busy_events"
    template = "No more than {limit} clients can follow the events; try again later."


class NoStreams(HttpError):
    """The server that runs the application cannot keep streams open."""

    code = "http.no_streams"
    template = "This server has no streams of events; run the service by glance-mini serve."


class NodeFailed(HttpError):
    """The request was forwarded to the node that holds the staged data, and that node failed."""

    code = "http.node_failed"
    template = "The node that holds the staged data could not answer: {reason}."


class NodeUnreachable(NodeFailed):
    """The node that holds the staged data does not answer."""

    code = "http.node_unreachable"
    template = "The node that holds the staged data of image {id} cannot be reached."


_OWN_REASONS = {460: "Checksum Mismatch"}
"""The texts of statuses that only the protocol for uploads knows."""

STATUS: dict[type[Exception], int] = {
    domain.NotFound: 404,
    domain.Forbidden: 403,
    domain.Invalid: 400,
    domain.UnsafeContent: 415,
    domain.Conflict: 409,
    domain.ChecksumMismatch: 460,
    domain.LimitExceeded: 413,
    domain.Gone: 410,
    domain.TooManyAttempts: 429,
    domain.Unavailable: 503,
    domain.ClientGone: 400,
    domain.BodyTimeout: 408,
    domain.RangeNotSatisfiable: 416,
    UnknownPath: 404,
    UnknownMethod: 501,
    LoginRefused: 401,
    MethodNotAllowed: 405,
    UnsupportedMediaType: 415,
    BodyTooLarge: 413,
    LengthRequired: 411,
    UnknownTransferCoding: 501,
    RequestIdTooLong: 431,
    MalformedRange: 416,
    ConditionFailed: 412,
    UnsupportedTusVersion: 412,
    TooBusy: 503,
    NoStreams: 501,
    NodeFailed: 502,
    NodeUnreachable: 504,
    store.NotFound: 404,
    store.Duplicate: 409,
    store.StorageFull: 413,
    store.StorageWriteDenied: 503,
    store.Forbidden: 403,
    store.Invalid: 400,
    store.SizeLimitExceeded: 413,
    store.InvalidRange: 416,
    store.BadStoreUri: 400,
    store.UnknownScheme: 400,
    store.InUseByStore: 409,
    store.DataChanged: 409,
    store.DraftInUse: 423,
    store.StoreGetNotSupported: 400,
    store.StoreAddDisabled: 410,
    store.StoreDeleteNotSupported: 403,
    store.StoreAclNotSupported: 409,
    store.MaxRedirectsExceeded: 503,
    store.RemoteServiceUnavailable: 503,
    store.BuffersExhausted: 503,
}
"""The status of each error class and of its unlisted subclasses; any other error is 500."""


def status_of(error: Exception) -> int:
    """Return the HTTP status of ``error``: that of its nearest class in STATUS, else 500."""
    if isinstance(error, WSGIHTTPException):
        return int(error.code)
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_response(error: Exception, accept: str | None) -> Response:
    """Return the response for ``error``; call it in the ``except`` block, so that it can log an unexpected trace.

    ``accept`` is the Accept header, None if there is none. The text of an error that is not in STATUS is not sent.
    """
    status, text, headers = describe_error(error)
    response = text_response(status, text, accept)
    response.headers.update(headers)
    return response


def describe_error(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Return status, text and headers of ``error``, and log what an operator must know; call it as ``error_response``.

    The text of an error that is not in STATUS is not among them.
    """
    status = status_of(error)
    if status == 500:
        LOG.exception("Unexpected error")
    elif isinstance(error, store.StorageFull) or (
        status == 503 and not isinstance(error, TooBusy | store.BuffersExhausted)
    ):
        # A caller can provoke these two at any rate; the metrics count them.
        LOG.warning("Answering %d: %s", status, error)
    return status, INTERNAL_TEXT if status == 500 else _text(error), _headers(error, status)


def text_response(status: int, text: str, accept: str | None) -> Response:
    """Return an error response with that status and text, in the media type that ``accept`` asks for."""
    title = _OWN_REASONS.get(status) or status_reasons[status]
    line = f"{status} {title}"
    match _media_type(accept):
        case "text/html":
            body = _html(line, text).encode()
            return Response(body=body, status=line, content_type="text/html", charset="UTF-8")
        case "application/json":
            body = dump_json({"message": text, "code": line, "title": title})
            return Response(body=body, status=line, content_type="application/json", charset=None)
    body = f"{line}\n\n{text}\n".encode()
    return Response(body=body, status=line, content_type="text/plain", charset="UTF-8")


def _text(error: Exception) -> str:
    return str(error.detail or error.explanation) if isinstance(error, WSGIHTTPException) else str(error)


def _headers(error: Exception, status: int) -> dict[str, str]:
    if isinstance(error, HttpError):
        headers = error.headers()
    elif isinstance(error, domain.RangeNotSatisfiable):
        headers = {"Content-Range": f"bytes */{error.values['size']}"}
    elif isinstance(error, domain.TooManyAttempts):
        headers = {"Retry-After": str(error.values["seconds"])}
    elif isinstance(error, WSGIHTTPException):
        headers = {name: value for name, value in error.headerlist if not name.lower().startswith("content-")}
    else:
        headers = {}
    if status == 503:
        headers.setdefault("Retry-After", RETRY_AFTER)
    return headers


def _media_type(accept: str | None) -> str | None:
    if accept is None:
        return None
    if not accept.strip():
        # openstacksdk sends an empty header with data, and shows no text but that of JSON or HTML.
        return "application/json"
    if accept == "*/*":
        return "text/html"
    offers = create_accept_header(accept).acceptable_offers(["text/html", "application/json", "text/plain"])
    return offers[0][0] if offers else None


def _html(line: str, text: str) -> str:
    return (
        f"<html>\n <head>\n  <title>{line}</title>\n </head>\n <body>\n  <h1>{line}</h1>\n"
        f"  {html.escape(text)}<br /><br />\n </body>\n</html>\n"
    )
