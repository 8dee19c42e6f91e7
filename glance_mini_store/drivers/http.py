"""The ``http`` driver: reads data from web servers through the guarded client.

It uses Range requests; if a server ignores them, the bytes are still right, but reading is slower.
Source: RFC 9110 sections 14 (ranges) and 15 (status codes).
"""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Self

from oslo_config import cfg

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver
from glance_mini_store.locations.http import HttpLocation
from glance_mini_store.streams import cut
from glance_mini_store.web.client import Request, WebClient, tls_context
from glance_mini_store.web.proxy import Proxy, basic
from glance_mini_store.web.response import HttpResponse
from glance_mini_store.web.target import DEFAULT_PORTS, AddressJudge
from glance_mini_store.web.timeouts import Timeouts

_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416
_GONE = {404, 410}
_REFUSED = {401, 403}
_SIZE_SECONDS = 30.0


class HttpDriver(Driver):
    """Reads through a ``WebClient``; ``timeouts`` are for one read, ``size_timeout`` is in seconds.

    A location may name any host, so the service sets its address judge with ``guard``; without a judge every web
    address is read.
    """

    type = "http"
    schemes = ("http", "https")
    capabilities = frozenset({capabilities.READ, capabilities.RANGE})
    options = (
        cfg.StrOpt(
            "https_ca_certificates_file",
            help="PEM file with the CA certificates that verify servers. Unset: those of the system.",
        ),
        cfg.BoolOpt(
            "https_insecure",
            default=False,
            help="Do not verify the certificates of servers. Ignored if https_ca_certificates_file is set.",
        ),
        cfg.DictOpt(
            "http_proxy_information",
            default={},
            help="Proxy for each scheme, for example http:http://10.0.0.1:3128; the environment is not used. The proxy "
            "resolves names and connects, so it must refuse the addresses that users must not reach.",
        ),
        cfg.FloatOpt(
            "http_timeout",
            default=60.0,
            min=0.1,
            help="Seconds to wait for a connection, and for the next bytes.",
        ),
        cfg.FloatOpt(
            "http_total_timeout",
            default=86400.0,
            min=0.1,
            help="Seconds that one read of a location may take.",
        ),
        cfg.FloatOpt(
            "http_size_timeout",
            default=_SIZE_SECONDS,
            min=0.1,
            help="Seconds in which a server must report the size of a location, including redirects.",
        ),
        cfg.IntOpt(
            "http_minimum_rate",
            default=1024,
            min=0,
            help="Bytes per second that a server must send, averaged over http_rate_window, while the service "
            "waits for it. 0 allows any rate.",
        ),
        cfg.FloatOpt(
            "http_rate_window",
            default=60.0,
            min=0.1,
            help="Seconds over which http_minimum_rate is measured.",
        ),
        cfg.BoolOpt(
            "http_redirects_to_other_hosts",
            default=False,
            help="Follow redirects to another host than the one in the location. Every address is checked in any "
            "case. Locations that an administrator or a service has added may always redirect to another host.",
        ),
    )

    def __init__(
        self, client: WebClient | None = None, timeouts: Timeouts | None = None, size_timeout: float = _SIZE_SECONDS
    ) -> None:
        """``client`` None: a client that follows no redirect to another host."""
        self._client = client or WebClient(follows_hosts=False)
        self._timeouts = timeouts or Timeouts()
        self._size_timeouts = Timeouts(size_timeout, min(size_timeout, self._timeouts.idle), rate=0)
        self._is_trusting = False

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver with the configured settings; see ``Driver.from_config``."""
        try:
            tls = tls_context(settings.https_ca_certificates_file, checks=not settings.https_insecure)
        except OSError as error:
            raise errors.BadStoreConfiguration(option="https_ca_certificates_file", reason=str(error)) from error
        client = WebClient(
            tls=tls,
            proxies=_proxies(settings.http_proxy_information),
            follows_hosts=settings.http_redirects_to_other_hosts,
        )
        timeouts = Timeouts(
            settings.http_total_timeout, settings.http_timeout, settings.http_minimum_rate, settings.http_rate_window
        )
        return cls(client, timeouts, settings.http_size_timeout)

    def guard(self, judge: AddressJudge) -> None:
        """Let ``judge`` check the address of every request."""
        self._client = self._client.guarded_by(judge)

    def trusting(self) -> Self:
        """Return a driver that reads a location at any address of its host; see ``Driver.trusting``."""
        other = copy.copy(self)
        other._is_trusting = True
        return other

    def is_for_users(self, location: str) -> bool:
        """Return True: a user may name any address; the judge refuses those that only this service could reach."""
        return True

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the body of the response; raises FetchBroken if the body ends early."""
        response = _checked(self._open("GET", location, self._timeouts, _range_header(offset, length)), location)
        if response.status == _NOT_SATISFIABLE:
            return _nothing(response, location, offset)
        skip = offset
        if response.status == _PARTIAL:
            start, _ = response.content_range()
            if start != offset:
                response.close()
                raise errors.RemoteServiceUnavailable(reason="the server sent another range than the one asked for")
            skip = 0
        body = _Body(response)
        return cut(body, skip, length, location) if skip or length is not None else body

    def size(self, location: str) -> int:
        """Return the length from a HEAD request or, without one, from a GET of the first byte."""
        with contextlib.closing(self._open("HEAD", location, self._size_timeouts, {})) as answer:
            gone = answer.status in _GONE
            length = answer.length() if answer.status == _OK else None
        if gone:
            raise errors.NotFound(location=location)
        if length is not None:
            return length
        first = self._open("GET", location, self._size_timeouts, _range_header(0, 1))
        with contextlib.closing(_checked(first, location)) as answer:
            length = answer.length() if answer.status == _OK else answer.content_range()[1]
        if length is None:
            raise errors.RemoteServiceUnavailable(reason="the server does not report the size")
        return length

    def _open(self, method: str, location: str, timeouts: Timeouts, headers: Mapping[str, str]) -> HttpResponse:
        """Return the first response that is not a redirect.

        Credentials are sent only to the server of the location.
        """
        parsed = HttpLocation(None, None)
        parsed.parse_uri(location)
        credentials = parsed.credentials()
        private = {} if credentials is None else {"Authorization": basic(*credentials)}
        request = Request(parsed.public_uri(), method, headers, private, self._is_trusting)
        return self._client.send(request, self._client.limit(timeouts))


class _Body(Iterator[bytes]):
    """The bytes of a response as they were sent; closes the response at its end."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response
        self._blocks = response.blocks()

    def __next__(self) -> bytes:
        try:
            return next(self._blocks)
        except (StopIteration, errors.StoreError):
            self.close()
            raise

    def close(self) -> None:
        """End the connection; may be repeated."""
        self._response.close()


def _proxies(urls: Mapping[str, str]) -> dict[str, Proxy]:
    """Return the proxies by scheme; ``all`` stands for both schemes."""
    for_all = {scheme: urls["all"] for scheme in DEFAULT_PORTS if "all" in urls}
    return {scheme: Proxy.from_url(url) for scheme, url in {**for_all, **urls}.items() if scheme in DEFAULT_PORTS}


def _checked(response: HttpResponse, location: str) -> HttpResponse:
    """Return a response with status 200, 206 or 416; close others and raise their error."""
    status = response.status
    if status in (_OK, _PARTIAL, _NOT_SATISFIABLE):
        return response
    response.close()
    if status in _GONE:
        raise errors.NotFound(location=location)
    if status in _REFUSED:
        raise errors.Forbidden(location=location)
    raise errors.RemoteServiceUnavailable(reason=f"the server answered {status}")


def _range_header(offset: int, length: int | None) -> dict[str, str]:
    """Return the Range header, empty for all data; a length of 0 requests one byte, which is dropped."""
    if offset == 0 and length is None:
        return {}
    end = "" if length is None else offset + max(length, 1) - 1
    return {"Range": f"bytes={offset}-{end}"}


def _nothing(response: HttpResponse, location: str, offset: int) -> Iterator[bytes]:
    """Return no bytes if ``offset`` is the end of the data, else raise InvalidRange."""
    response.close()
    _, total = response.content_range()
    if offset != (total or 0):
        raise errors.InvalidRange(offset=offset, location=location)
    return iter(())
