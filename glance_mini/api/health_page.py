"""The pages of ``/healthcheck``: whether the process answers, and with credentials the health of all parts."""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from glance_mini.api.errors import text_response
from glance_mini.api.request import CONTEXT_KEY
from glance_mini.api.response import Response, json_response

_CREDENTIALS = {"HTTP_X_AUTH_TOKEN", "HTTP_AUTHORIZATION"}


class HealthPage:
    """WSGI application behind the authentication; ``report`` returns the last results, so that an answer is cheap."""

    def __init__(self, report: Callable[[], Mapping[str, object]]) -> None:
        self._report = report

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the report, 503 if a part is failing."""
        return self._answer(environ)(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refusal = text_response(405, "The health can only be read.", environ.get("HTTP_ACCEPT"))
            refusal.headers["Allow"] = "GET, HEAD"
            return refusal
        if environ[CONTEXT_KEY].read_only:
            return text_response(403, "The health is for callers with credentials.", environ.get("HTTP_ACCEPT"))
        report = self._report()
        return json_response(report, 503 if report["status"] == "failing" else 200)


def choose_page(plain: WSGIApplication, detail: WSGIApplication, *, needs_credentials: bool) -> WSGIApplication:
    """Return an application that passes requests with credentials that ask for ``?detail`` to ``detail``."""

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        has_credentials = not needs_credentials or environ.keys() & _CREDENTIALS
        wants_detail = has_credentials and "detail" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        return (detail if wants_detail else plain)(environ, start_response)

    return choose
