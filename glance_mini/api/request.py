"""The request as controllers see it: the caller, and the JSON in the body, read strictly."""

from typing import NoReturn
from urllib.parse import unquote

import orjson
import webob
from webob.descriptors import environ_getter

from glance_mini.api import body
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Invalid

CONTEXT_KEY = "glance_mini.context"
"""The key in the WSGI environment under which the authentication middleware puts the ``Context``."""

OPERATION_KEY = "glance_mini.operation"
"""The key in the WSGI environment under which the application puts the name of the operation, for the access log."""

ESCAPED_SLASH = "\0"
"""Stands for a slash that is a part of a name. The middleware before refuses a path that holds it."""

MAX_DEPTH = 64
"""How deep lists and objects of a JSON body may be nested."""


class Request(webob.Request):
    """One HTTP request; ``max_json_body`` is the longest JSON body in bytes."""

    max_json_body = 1024**2

    context: Context = environ_getter(CONTEXT_KEY)
    """The caller."""

    @property
    def has_body(self) -> bool:
        """Return whether the request has a body, as api-conventions-methods defines it."""
        return body.has_body(self.environ)

    @property
    def marked_path(self) -> str:
        """Return the path, with ``ESCAPED_SLASH`` for each slash that the client sent as ``%2F``.

        Without what the server calls ``RAW_URI``, or if something has changed the path since, no slash is marked.
        """
        path: str = self.path_info
        sent = str(self.environ.get("RAW_URI", "")).partition("?")[0]
        if "%2f" not in sent.lower():
            return path
        parts = [unquote(part) for part in sent.split("/")]
        if not "/".join(parts).endswith(path):
            return path
        return "/".join(part.replace("/", ESCAPED_SLASH) for part in parts)[-len(path) :]

    def json_object(self) -> dict[str, object]:
        """Return the body, a JSON object; Invalid for anything else, BodyTooLarge."""
        value = self._load_json()
        if not isinstance(value, dict):
            _refuse("it must be an object")
        return value

    def json_array(self) -> list[object]:
        """Return the body, a JSON array; Invalid for anything else, BodyTooLarge."""
        value = self._load_json()
        if not isinstance(value, list):
            _refuse("it must be an array")
        return value

    def _load_json(self) -> object:
        text = body.read_all(self.environ, self.max_json_body)
        if not text:
            _refuse("it is empty")
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            _refuse(f"it is not JSON in UTF-8 ({error})")
        if b"\\u0000" in text or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
            _check_depth_and_text(value)
        return value


def parse_flag(request: Request, name: str) -> bool:
    """Return whether the query has ``name=true``; raises Invalid for anything but true and false."""
    text = request.GET.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Invalid(reason=f"The parameter {name} must be true or false.")
    return bool(text == "true")


def _check_depth_and_text(value: object) -> None:
    """Raise Invalid for NUL in a string and for nesting deeper than MAX_DEPTH; does not recurse."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.keys())
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str) and "\0" in item:
                _refuse("a string in it holds a NUL character")
        if not below:
            return
        level = below
    _refuse(f"it is nested deeper than {MAX_DEPTH} levels")


def _refuse(problem: str) -> NoReturn:
    raise Invalid(reason=f"The request body cannot be used: {problem}.")
