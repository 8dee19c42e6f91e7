"""The web page: files that come with the service, for callers without credentials.

The page itself logs in and calls the API of the same origin. Its headers keep it from loading or running anything else.
"""

import hashlib
from collections.abc import Iterable
from importlib import resources
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from webob.acceptparse import create_accept_header

ROOT = "/ui/"
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
)


class Page:
    """WSGI application for the files below ``ROOT``; it sends other paths there."""

    def __init__(self) -> None:
        files = resources.files("glance_mini") / "ui"
        self._files = {each.name: each.read_bytes() for each in files.iterdir() if each.name.split(".")[-1] in _TYPES}
        self._tags = {name: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for name, data in self._files.items()}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if not path.startswith(ROOT):
            location = environ.get("SCRIPT_NAME", "") + ROOT
            start_response("302 Found", [("Location", location), ("Vary", "Accept"), ("Content-Length", "0")])
            return []
        if method not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return []
        name = path.removeprefix(ROOT) or "index.html"
        if name not in self._files:
            start_response("404 Not Found", [*_HEADERS, ("Content-Length", "0")])
            return []
        headers = [*_HEADERS, ("ETag", self._tags[name])]
        if environ.get("HTTP_IF_NONE_MATCH") == self._tags[name]:
            start_response("304 Not Modified", headers)
            return []
        data, kind = self._files[name], _TYPES[name.split(".")[-1]]
        start_response("200 OK", [*headers, ("Content-Type", kind), ("Content-Length", str(len(data)))])
        return [] if method == "HEAD" else [data]


def with_page(page: WSGIApplication, app: WSGIApplication) -> WSGIApplication:
    """Return an application that gives ``page`` the paths of the page, and ``/`` for browsers; ``app`` the others."""

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        is_page = path == ROOT[:-1] or path.startswith(ROOT) or (path in ("", "/") and _is_browser(environ))
        return (page if is_page else app)(environ, start_response)

    return choose


def _is_browser(environ: WSGIEnvironment) -> bool:
    """Return whether the request prefers a page; programs ask for JSON, or for anything."""
    accept = environ.get("HTTP_ACCEPT", "")
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or "text/html" not in accept.lower():
        return False
    offers = create_accept_header(accept).acceptable_offers(["application/json", "text/html"])
    return bool(offers) and offers[0][0] == "text/html"
