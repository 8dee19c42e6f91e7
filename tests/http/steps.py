"""What a step of a YAML table means: a request, and what its answer must be.

A step has one method as a key, whose value is the path, and further keys from ``REQUEST`` and ``ANSWER``. ``$name`` in
any text stands for a value kept by an earlier step.
"""

import json
from collections.abc import Mapping
from string import Template
from typing import Any

from webob import Request, Response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")

REQUEST = {
    "as": "the caller, whose name is the token; anonymous sends none",
    "headers": "further headers",
    "json": "the body as JSON",
    "patch": "the body as a JSON patch of version 2.1",
    "text": "the body as text",
    "bytes": "the body as so many bytes",
    "hex": "the body in hexadecimal",
    "chunked": "send the body without its length, as a server hands on what came in chunks",
    "environ": "further values of the WSGI environment",
}

ANSWER = {
    "status": "the status",
    "has": "values by path in the JSON, such as images.0.name",
    "lacks": "paths that are not in the JSON",
    "lengths": "lengths of lists and texts by path in the JSON",
    "is": "the whole JSON",
    "says": "a part of the body as text",
    "silent_about": "a text that is nowhere in the body",
    "size": "the length of the body in bytes",
    "headers_are": "values of headers; null for one that is absent",
    "keep": "names for values by path in the JSON",
}

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"

_ABSENT = object()


class Step:
    """One request and the expectations of its answer, with the values kept so far filled in."""

    def __init__(self, written: Mapping[str, Any], kept: Mapping[str, str]) -> None:
        self.method = next(key for key in written if key in METHODS)
        self.path = fill(written[self.method], kept)
        self._written = {key: fill(value, kept) for key, value in written.items() if key != self.method}
        unknown = self._written.keys() - REQUEST.keys() - ANSWER.keys()
        if unknown:
            raise ValueError(f"unknown keys in a step: {sorted(unknown)}")

    def __str__(self) -> str:
        return f"{self.method} {self.path} as {self._written.get('as', 'member')}"

    def request(self) -> Request:
        """Return the request."""
        request = Request.blank(self.path, method=self.method)
        caller = self._written.get("as", "member")
        if caller != "anonymous":
            request.headers["X-Auth-Token"] = caller
        body, content_type = self._body()
        if content_type:
            request.headers["Content-Type"] = content_type
        if body is not None:
            request.body = body
        if self._written.get("chunked"):
            request.content_length = None
            request.headers["Transfer-Encoding"] = "chunked"
            request.environ["wsgi.input_terminated"] = True
        for name, value in self._written.get("headers", {}).items():
            request.headers[name] = str(value)
        request.environ.update(self._written.get("environ", {}))
        return request

    def _body(self) -> tuple[bytes | None, str | None]:
        written = self._written
        if "json" in written:
            return json.dumps(written["json"], ensure_ascii=False).encode(), "application/json"
        if "patch" in written:
            return json.dumps(written["patch"]).encode(), PATCH_TYPE
        if "text" in written:
            return written["text"].encode(), None
        if "bytes" in written:
            return b"x" * int(written["bytes"]), "application/octet-stream"
        if "hex" in written:
            return bytes.fromhex(str(written["hex"])), "application/octet-stream"
        return None, None

    def faults(self, answer: Response) -> list[str]:
        """Return what is wrong with ``answer``, in words."""
        written = self._written
        faults = []
        if answer.status_int != written["status"]:
            faults.append(f"the status is {answer.status}, not {written['status']}")
        for name, value in written.get("headers_are", {}).items():
            if answer.headers.get(name) != (None if value is None else str(value)):
                faults.append(f"header {name} is {answer.headers.get(name)!r}, not {value!r}")
        if "size" in written and len(answer.body) != written["size"]:
            faults.append(f"the body has {len(answer.body)} bytes, not {written['size']}")
        if "says" in written and written["says"] not in answer.text:
            faults.append(f"the body does not say {written['says']!r}")
        if "silent_about" in written and written["silent_about"] in answer.text:
            faults.append(f"the body says {written['silent_about']!r}")
        if not faults and written.keys() & {"has", "lacks", "lengths", "is"}:
            faults.extend(self._json_faults(answer.json))
        return faults

    def _json_faults(self, found: Any) -> list[str]:
        written = self._written
        faults = [
            f"{path} is {value(found, path)!r}, not {wanted!r}"
            for path, wanted in written.get("has", {}).items()
            if value(found, path) != wanted
        ]
        faults += [f"{path} is there" for path in written.get("lacks", ()) if value(found, path) is not _ABSENT]
        faults += [
            f"{path} has length {len(value(found, path))}, not {wanted}"
            for path, wanted in written.get("lengths", {}).items()
            if len(value(found, path)) != wanted
        ]
        if "is" in written and found != written["is"]:
            faults.append(f"the answer is {found!r}")
        return faults

    def kept(self, answer: Response) -> dict[str, str]:
        """Return the values to keep."""
        return {name: str(value(answer.json, path)) for name, path in self._written.get("keep", {}).items()}


def value(found: Any, path: str) -> Any:
    """Return what stands at ``path`` in decoded JSON, parts separated by dots; something unequal to all if nothing."""
    for part in path.split("."):
        if isinstance(found, list) and part.lstrip("-").isdigit() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, dict) and part in found:
            found = found[part]
        else:
            return _ABSENT
    return found


def fill(written: Any, kept: Mapping[str, str]) -> Any:
    """Return ``written`` with the kept values in all its texts."""
    if isinstance(written, str):
        return Template(written).safe_substitute(kept)
    if isinstance(written, list):
        return [fill(item, kept) for item in written]
    if isinstance(written, dict):
        return {fill(key, kept): fill(item, kept) for key, item in written.items()}
    return written
