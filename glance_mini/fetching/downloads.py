"""Downloads for imports: the guarded client with the limits of ``[web_download]`` and the errors of the service."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Self

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError, Invalid, LimitExceeded, Unavailable
from glance_mini.fetching.uri_filter import UriFilter
from glance_mini_store import errors
from glance_mini_store.web.client import FetchLimits, Request, WebClient, tls_context
from glance_mini_store.web.fetch import Fetch
from glance_mini_store.web.timeouts import Timeouts

_NO_HEADERS: Mapping[str, str] = {}


class FetchBroken(Unavailable):
    """A server cannot be reached, or its answer broke off; another attempt may succeed."""

    code = "import.fetch_broken"


class FetchRefused(Invalid):
    """The answer of a server is not usable, now or later, or its address is refused."""

    code = "import.fetch_refused"


class Download(Iterator[bytes]):
    """Blocks of 1 MiB; the last one, and one before a break, may be shorter. Must be closed; its end closes it too.

    ``size`` is the number of bytes in all, None if it is unknown. The iteration raises FetchRefused, FetchBroken,
    LimitExceeded.
    """

    def __init__(self, begin: Callable[[], Fetch]) -> None:
        """Start the download; blocks and raises as the iteration does."""
        with _translated():
            self._fetch = begin()

    @property
    def size(self) -> int | None:
        return self._fetch.size

    def __next__(self) -> bytes:
        with _translated():
            return next(self._fetch)

    def close(self) -> None:
        """Close the connection; may be repeated."""
        self._fetch.close()


class Downloads:
    """The client and limits of all downloads; shared by all threads."""

    def __init__(self, client: WebClient, limits: FetchLimits) -> None:
        self._client = client
        self._limits = limits

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the downloads that ``[web_download]`` and ``[import_filtering_opts]`` allow.

        Raises ConfigurationError.
        """
        group = conf.web_download
        cap: int = conf.image_size_cap
        limits = FetchLimits(
            size=min(cap, group.max_size or cap),
            timeouts=Timeouts(group.total_timeout, group.idle_timeout, group.minimum_rate, group.rate_window),
            retries=group.retries,
            retry_delay=group.retry_delay,
        )
        try:
            tls = tls_context(group.ca_certificates_file)
        except OSError as error:
            raise ConfigurationError(reason=f"[web_download] ca_certificates_file: {error}") from error
        return cls(WebClient(UriFilter.from_config(conf), tls=tls), limits)

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        size: int | None = None,
        limit: int | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> Download:
        """Start to fetch ``url`` and return the download.

        ``headers`` are sent to the server of ``url`` and to no other. ``size`` is the expected size in bytes, None if
        it is unknown; ``limit`` lowers the configured largest size. ``pause`` waits some seconds before another
        attempt and may raise to give up. Blocks. Raises FetchRefused, FetchBroken, LimitExceeded.
        """
        limits = self._limits if limit is None else replace(self._limits, size=min(limit, self._limits.size))
        request = Request(url, private=headers)
        return Download(partial(self._client.open, request, limits, size=size, pause=pause))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate the errors of the client into those of the service.

    The store library adds a store id to its own errors, and the source of a download is not a store.
    """
    try:
        yield
    except errors.SizeLimitExceeded as error:
        raise LimitExceeded(resource="the size of a download", **error.values) from error
    except errors.MaxRedirectsExceeded as error:
        most = error.values["redirects"]
        raise FetchRefused(reason=f"The server redirects more than {most} times.") from error
    except (errors.AddressRefused, errors.FetchRefused) as error:
        raise FetchRefused(reason=str(error)) from error
    except errors.FetchBroken as error:
        raise FetchBroken(reason=str(error)) from error
