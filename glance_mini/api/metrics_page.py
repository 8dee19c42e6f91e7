"""The page ``/metrics`` outside the pipeline: metrics for Prometheus, served without credentials."""

import ipaddress
import logging
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from glance_mini.api.errors import text_response
from glance_mini.api.response import Response
from glance_mini.domain.errors import Unavailable
from glance_mini.metrics import CONTENT_TYPE, Metrics

LOG = logging.getLogger(__name__)

_FORWARDING = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


class MetricsPage:
    """WSGI application. ``get_usage`` returns what all projects use; it is called for each request.

    ``loopback_only``: only callers on this machine are answered, not callers behind its proxy.
    """

    def __init__(
        self, metrics: Metrics, get_usage: Callable[[], dict[str, int]], *, enabled: bool, loopback_only: bool
    ) -> None:
        self._metrics = metrics
        self._get_usage = get_usage
        self._enabled = enabled
        self._loopback_only = loopback_only

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(environ)(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response:
        accept = environ.get("HTTP_ACCEPT")
        if not self._enabled:
            return text_response(404, "The metrics are switched off.", accept)
        if self._loopback_only and not _is_local(environ):
            return text_response(403, "The metrics are for callers on the same machine.", accept)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refusal = text_response(405, "The metrics can only be read.", accept)
            refusal.headers["Allow"] = "GET, HEAD"
            return refusal
        self._measure_usage()
        return Response(body=self._metrics.export(), headerlist=[("Content-Type", CONTENT_TYPE)])

    def _measure_usage(self) -> None:
        try:
            usage = self._get_usage()
        except Unavailable as error:
            LOG.warning("The metrics do not include the use of quotas: %s", error)
            return
        for resource, used in usage.items():
            self._metrics.quota_used.labels(resource).set(used)


def _is_local(environ: WSGIEnvironment) -> bool:
    if any(name in environ for name in _FORWARDING):
        return False
    try:
        return ipaddress.ip_address(environ.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
