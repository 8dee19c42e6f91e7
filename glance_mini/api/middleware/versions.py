"""Chooses the version of the API from path or Accept header and lists the versions (api-versions).

It comes before authentication: its own answers need no token. After it the path begins with ``/v2/`` or is one of the
Identity API, and path and query string are valid UTF-8 without NUL.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob

from glance_mini.api.errors import error_response, text_response
from glance_mini.api.identity.paths import split_path
from glance_mini.api.response import Response, json_response
from glance_mini.domain.errors import Invalid

ALWAYS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 17)
"""Minor versions that exist in every configuration."""

WITH_SEVERAL_STORES = (8, 10, 11, 12, 13)

_ACCEPT = re.compile(r"application/vnd\.openstack\.images-(v[0-9.]+)(?:\+json)?")
_IDENTITY_PATHS = re.compile(r"/v3.*|/v2/tenants.*|/(?:projects|domains|users|tenants)(?:/.*)?", re.DOTALL)
"""Where clients look for projects, domains and users; older ones do so directly below the endpoint."""


WITH_CACHE = (14, 16, 18)


def minor_versions(multi_store: bool, has_cache: bool) -> list[int]:
    """Return the minor versions of v2 that this service speaks, newest first."""
    stores, cache = WITH_SEVERAL_STORES if multi_store else (), WITH_CACHE if has_cache else ()
    return sorted(ALWAYS + stores + cache, reverse=True)


class VersionNegotiation:
    """WSGI middleware. ``has_identity``: Keystone is used, so clients do not look for it here.

    ``serves_identity``: the filter behind it answers the Identity API.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        multi_store: bool,
        has_cache: bool,
        public_endpoint: str | None,
        has_identity: bool,
        serves_identity: bool = False,
    ) -> None:
        self._app = app
        self._minors = minor_versions(multi_store, has_cache)
        self._prefixes = {"v2", *(f"v2.{minor}" for minor in self._minors)}
        self._public_endpoint = public_endpoint
        self._has_identity = has_identity
        self._serves_identity = serves_identity

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or pass the request on with a path below ``/v2/``."""
        return (self._answer(environ) or self._app)(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response | None:
        accept = environ.get("HTTP_ACCEPT")
        try:
            path = _decode(environ)
        except Invalid as error:
            return error_response(error, accept)
        if path in ("", "/"):
            return self._list(environ, 300)
        if path == "/versions":
            return self._list(environ, 200)
        if self._serves_identity and split_path(path):
            return None
        if not self._has_identity and _IDENTITY_PATHS.fullmatch(path):
            return text_response(403, "There is no identity service here.", accept)
        first, _, rest = path[1:].partition("/")
        chosen = _ACCEPT.match(accept or "")
        if chosen and chosen[1] in self._prefixes and first not in self._prefixes:
            first, rest = chosen[1], path[1:]
        if first not in self._prefixes:
            return self._list(environ, 300)
        if not rest:
            return text_response(404, "The resource could not be found.", accept)
        if path != f"/v2/{rest}":
            environ["PATH_INFO"] = f"/v2/{rest}".encode().decode("latin-1")
        return None

    def _list(self, environ: WSGIEnvironment, status: int) -> Response:
        base = self._public_endpoint or webob.Request(environ).application_url
        links = [{"rel": "self", "href": f"{base.rstrip('/')}/v2/"}]
        versions = [
            {"id": f"v2.{minor}", "status": "SUPPORTED" if number else "CURRENT", "links": links}
            for number, minor in enumerate(self._minors)
        ]
        return json_response({"versions": versions}, status)


def _decode(environ: WSGIEnvironment) -> str:
    """Return the path as text; Invalid if path or query are not UTF-8 or hold NUL."""
    raw: str = environ.get("PATH_INFO", "")
    query: str = environ.get("QUERY_STRING", "")
    try:
        path = raw if raw.isascii() else raw.encode("latin-1").decode()
        decoded = query if query.isascii() and "%" not in query else unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeError:
        raise Invalid(reason="Path and query must be UTF-8.") from None
    if "\0" in path or "\0" in decoded:
        raise Invalid(reason="Path and query must not hold NUL characters.")
    return path
