"""The client for web servers that users name: redirects, what goes with a request, limits of size and time.

Where it may go is decided by ``UriFilter``, at every redirect anew; how bytes come off the wire by ``Exchange``; what
becomes of an answer by ``Fetch``.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Self
from urllib.parse import urljoin

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.imports.fetch import Attempts, Expected, Fetch
from glance_mini.imports.http_exchange import Exchange
from glance_mini.imports.pace import FetchBroken, FetchRefused, Pace, Patience
from glance_mini.imports.uri_filter import HostUnknown, UriFilter

MAX_REDIRECTS = 5
"""How many addresses are tried after the first."""

_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "glance-mini"}
_NO_HEADERS: Mapping[str, str] = {}


@cache
def _system_tls() -> ssl.SSLContext:
    """Return what checks servers against the CA certificates of the system; to read them once is enough."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """``size`` in bytes; ``retries`` without progress in between, the first after ``retry_delay`` seconds."""

    size: int
    patience: Patience = field(default_factory=Patience)
    retries: int = 5
    retry_delay: float = 2


class WebClient:
    """What is the same for all fetches; shared by all threads."""

    def __init__(
        self,
        uri_filter: UriFilter,
        limits: FetchLimits,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``tls`` None: servers are checked against the CA certificates of the system."""
        self._filter = uri_filter
        self._limits = limits
        self._tls = tls or _system_tls()
        # Data without a length is whole only where the server ends TLS itself (RFC 8446 section 6.1). The Python of some
        # systems, that of Debian 12 among them, takes a cut connection for such an end unless it is told otherwise.
        self._tls.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self._clock = clock

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return a client with the limits of ``[web_download]``; raises ConfigurationError."""
        group = conf.web_download
        cap: int = conf.image_size_cap
        limits = FetchLimits(
            size=min(cap, group.max_size or cap),
            patience=Patience(group.total_timeout, group.idle_timeout, group.minimum_rate, group.rate_window),
            retries=group.retries,
            retry_delay=group.retry_delay,
        )
        try:
            file = group.ca_certificates_file
            tls = ssl.create_default_context(cafile=file) if file else _system_tls()
        except OSError as error:
            raise ConfigurationError(reason=f"[web_download] ca_certificates_file: {error}") from error
        return cls(UriFilter.from_config(conf), limits, tls)

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        size: int | None = None,
        limit: int | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> Fetch:
        """Begin to fetch ``url`` and return the data.

        ``headers`` go to the server of ``url`` and to no other. ``size`` is what the data must have, where it is known
        (bytes); ``limit`` the largest that is taken where that is less than the client's. ``pause`` waits some seconds
        before a further attempt and may raise to give up. Blocks. Raises UriRefused, FetchRefused, FetchBroken,
        LimitExceeded.
        """
        pace = Pace(self._limits.patience, self._clock)
        attempts = Attempts(self._limits.retries, self._limits.retry_delay, pause)
        most = self._limits.size if limit is None else min(limit, self._limits.size)
        return Fetch(partial(self._request, url, headers, pace), Expected(size, most), attempts)

    def _request(self, url: str, own: Mapping[str, str], pace: Pace, more: Mapping[str, str]) -> Exchange:
        """Return the first answer that is no redirect; ``own`` headers go to the server of ``url`` only."""
        origin = None
        for _ in range(MAX_REDIRECTS + 1):
            try:
                target = self._filter.check(url)
            except HostUnknown as error:
                raise FetchBroken(reason=str(error)) from error
            origin = origin or target.origin
            sent = own if target.origin == origin else _NO_HEADERS
            exchange = Exchange(target, {**_HEADERS, **sent, **more}, pace, self._tls)
            if exchange.status not in _REDIRECTS:
                return exchange
            exchange.close()
            url = urljoin(url, exchange.headers.get("Location", ""))
        raise FetchRefused(reason=f"The server leads to more than {MAX_REDIRECTS} other addresses.")
