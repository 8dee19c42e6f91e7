"""The client for web servers that users name: it follows redirects and sends the headers of requests.

A judge checks the address of every request and redirect; ``connection`` uses only the checked addresses; ``fetch``
handles the responses.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Self

from glance_mini_store.errors import AddressRefused, FetchBroken, HostUnknown, MaxRedirectsExceeded
from glance_mini_store.web.connection import Connection
from glance_mini_store.web.fetch import Expected, Fetch, RetryPolicy
from glance_mini_store.web.proxy import Proxy
from glance_mini_store.web.response import HttpResponse
from glance_mini_store.web.target import AddressJudge, Anywhere, Target, origin_of, redirect_url, scheme_of
from glance_mini_store.web.timeouts import RateLimit, Timeouts

MAX_REDIRECTS = 5
"""How many redirects are followed."""

_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "glance-mini"}
_NO_HEADERS: Mapping[str, str] = {}


@cache
def _system_tls() -> ssl.SSLContext:
    """Return the context for the CA certificates of the system, which are read once."""
    return _new_context()


def tls_context(certificates: str | None = None, *, checks: bool = True) -> ssl.SSLContext:
    """Return a context that verifies servers by the CA certificates in a PEM file, or those of the system.

    ``checks`` False, without a file, accepts any server. Raises OSError if the file cannot be read.
    """
    if certificates:
        return _new_context(certificates)
    if checks:
        return _system_tls()
    context = _new_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _new_context(certificates: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates)
    # Data without a length is complete only if the server closes TLS (RFC 8446 section 6.1). Some builds of Python,
    # as in Debian 12, take a cut connection for such an end unless this option is cleared.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """``size`` in bytes; at most ``retries`` without progress, the first after ``retry_delay`` seconds."""

    size: int
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 5
    retry_delay: float = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One request, before any redirect.

    ``private`` headers are sent only to the server of ``url``, ``headers`` to every server. The server of a
    ``trusted`` request need not pass the judge; servers after a redirect must.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False


class WebClient:
    """The configuration of all requests; shared by all threads. It keeps no connection open."""

    def __init__(
        self,
        judge: AddressJudge | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        proxies: Mapping[str, Proxy] | None = None,
        follows_hosts: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``judge`` None: any web address is allowed.

        ``tls`` None: servers are verified by the CA certificates of the system. ``proxies`` are by scheme; a proxy
        connects to the server and may resolve a name that is unknown here. ``follows_hosts``: whether a redirect may
        lead to another host.
        """
        self._judge = judge or Anywhere()
        self._tls = tls or _system_tls()
        self._proxies = proxies or {}
        self._follows_hosts = follows_hosts
        self._clock = clock

    def guarded_by(self, judge: AddressJudge) -> Self:
        """Return the same client with another judge."""
        return type(self)(
            judge, tls=self._tls, proxies=self._proxies, follows_hosts=self._follows_hosts, clock=self._clock
        )

    def limit(self, timeouts: Timeouts) -> RateLimit:
        """Return a new rate limit, whose time starts now."""
        return RateLimit(timeouts, self._clock)

    def open(
        self,
        request: Request,
        limits: FetchLimits,
        *,
        size: int | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> Fetch:
        """Start to fetch the data, with retries and resumption, and return the fetch.

        ``size`` is the expected size in bytes, None if it is unknown. ``pause`` waits some seconds before another
        attempt and may raise to give up. Blocks. Raises AddressRefused, FetchRefused, FetchBroken, SizeLimitExceeded,
        MaxRedirectsExceeded.
        """
        limit = self.limit(limits.timeouts)
        retries = RetryPolicy(limits.retries, limits.retry_delay, pause)
        return Fetch(partial(self.send, request, limit), Expected(size, limits.size), retries)

    def send(self, request: Request, limit: RateLimit, more: Mapping[str, str] = _NO_HEADERS) -> HttpResponse:
        """Return the first response that is not a redirect, within ``limit``; ``more`` headers go to every server.

        Blocks. Raises AddressRefused, FetchRefused, FetchBroken, FetchCancelled, MaxRedirectsExceeded.
        """
        url, first = request.url, None
        for _ in range(MAX_REDIRECTS + 1):
            target = self._target(url, first, request.trusted)
            first = first or target
            private = request.private if target.origin == first.origin else _NO_HEADERS
            headers = {**_HEADERS, **request.headers, **private, **more}
            response = self._ask(target, request.method, headers, limit)
            if response.status not in _REDIRECTS:
                return response
            response.close()
            url = redirect_url(url, response.headers.get("Location", ""))
        raise MaxRedirectsExceeded(redirects=MAX_REDIRECTS, location=request.url)

    def _target(self, url: str, first: Target | None, trusted: bool) -> Target:
        """Return the target of ``url``; ``first`` is the target of the first request."""
        scheme = scheme_of(url)
        judge = Anywhere() if trusted and (first is None or origin_of(url) == first.origin) else self._judge
        if first is not None and not (trusted or self._follows_hosts) and origin_of(url)[1] != first.host:
            raise AddressRefused(reason="the server redirects to another host, which is not allowed.")
        try:
            return judge.check(url, by_proxy=scheme in self._proxies)
        except HostUnknown as error:
            raise FetchBroken(reason=str(error)) from error

    def _ask(self, target: Target, method: str, headers: Mapping[str, str], limit: RateLimit) -> HttpResponse:
        connection = Connection(target, limit, self._tls, self._proxies.get(target.scheme))
        try:
            answer = connection.request(method, headers)
            return HttpResponse(connection, answer, connection.message)
        except BaseException:
            connection.close()
            raise
