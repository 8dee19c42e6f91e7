"""Successful responses. Errors are made in ``errors``."""

from collections.abc import Mapping

import orjson
import webob

Headers = Mapping[str, str]

_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def dump_json(value: object) -> bytes:
    """Return ``value`` as JSON in UTF-8; a datetime becomes ``YYYY-MM-DDTHH:MM:SSZ`` (reference 1.5)."""
    return orjson.dumps(value, option=_OPTIONS)


def json_response(value: object, status: int = 200, headers: Headers | None = None) -> webob.Response:
    """Return a response with ``value`` as its JSON body."""
    response = webob.Response(body=dump_json(value), status=status, content_type="application/json", charset=None)
    if headers:
        response.headers.update(headers)
    return response


def empty_response(status: int = 204) -> webob.Response:
    """Return a response without a body and without a content type."""
    response = webob.Response(status=status, content_type=None)
    if status == 204:
        # RFC 9110 section 8.6: a 204 has no Content-Length.
        del response.headers["Content-Length"]
    return response
