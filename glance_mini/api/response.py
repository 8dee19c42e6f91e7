"""Responses, and JSON as the API writes it. ``errors`` makes error responses."""

from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson
import webob

Headers = Mapping[str, str]

_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


class Response(webob.Response):
    """A WebOb response that is sent unchanged: the path in ``Location`` stays a path (api-conventions-headers)."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send the head and return the body, which is closed unread for HEAD."""
        start_response(self.status, self.headerlist)
        body: Iterable[bytes] = self.app_iter
        if environ["REQUEST_METHOD"] != "HEAD":
            return body
        if hasattr(body, "close"):
            body.close()
        return []


def dump_json(value: object) -> bytes:
    """Return ``value`` as JSON in UTF-8; a datetime becomes ``YYYY-MM-DDTHH:MM:SSZ`` (api-conventions-times)."""
    return orjson.dumps(value, option=_OPTIONS)


def json_response(value: object, status: int = 200, headers: Headers | None = None) -> Response:
    """Return a response with ``value`` as its JSON body."""
    body = orjson.dumps(value, option=_OPTIONS)
    response = Response(body=body, status=status, content_type="application/json", charset=None)
    if headers:
        response.headers.update(headers)
    return response


def empty_response() -> Response:
    """Return a 204 response, without content, content type and length."""
    return Response(status=204)


def accepted_response() -> Response:
    """Return a 202 response without content; the work continues after it."""
    response = Response(status=202)
    del response.content_type
    return response
