"""The ``http`` driver: data on web servers, read only.

Ranges are asked for by Range requests; a server that ignores them still gives the right bytes, only slower.
Redirects are followed here and not by the library, because credentials must not travel to another host.
Sources: RFC 9110 sections 14 and 15, API reference 23.
"""

import contextlib
import re
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from oslo_config import cfg

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver
from glance_mini_store.locations.http import HttpLocation
from glance_mini_store.streams import BLOCK, cut

MAX_REDIRECTS = 5
"""How many addresses are tried after the first."""

_GONE = {404, 410}
_REFUSED = {401, 403}
_REDIRECTS = {301, 302, 303, 307, 308}
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class HttpDriver(Driver):
    """One connection pool; ``verify`` is True, False or the path of a file with CA certificates."""

    type = "http"
    schemes = ("http", "https")
    capabilities = frozenset({capabilities.READ, capabilities.RANGE})
    options = (
        cfg.StrOpt(
            "https_ca_certificates_file",
            help="PEM file with the CA certificates that servers are checked against. Unset: certifi's.",
        ),
        cfg.BoolOpt(
            "https_insecure",
            default=False,
            help="Do not check the certificates of servers. Ignored if https_ca_certificates_file is set.",
        ),
        cfg.DictOpt(
            "http_proxy_information",
            default={},
            help="Proxy for each scheme, for example http:http://10.0.0.1:3128; not from the environment.",
        ),
        cfg.FloatOpt(
            "http_timeout",
            default=60.0,
            min=0.1,
            help="Seconds to wait for a connection, and for the next bytes.",
        ),
    )

    def __init__(
        self, *, verify: bool | str = True, proxies: dict[str, str] | None = None, timeout: float = 60.0
    ) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        # Otherwise .netrc would add credentials nobody gave to us.
        self._session.trust_env = False
        self._session.verify = verify
        self._session.proxies = dict(proxies or {})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "glance-mini-store"})

    @classmethod
    def from_config(cls, settings: Any, store_id: str) -> Self:
        """Return a driver with the options' settings; see ``Driver.from_config``."""
        return cls(
            verify=settings.https_ca_certificates_file or not settings.https_insecure,
            proxies=settings.http_proxy_information,
            timeout=settings.http_timeout,
        )

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the body of the answer; a body that ends early raises RemoteServiceUnavailable."""
        response = _checked(self._open("GET", location, _range_header(offset, length)), location)
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return _nothing(response, location, offset)
        skip = offset
        if response.status_code == requests.codes.partial_content:
            start, _ = _content_range(response)
            if start != offset:
                response.close()
                raise errors.RemoteServiceUnavailable(reason="the server sent another range than the one asked for")
            skip = 0
        body = _Body(response)
        return cut(body, skip, length, location) if skip or length is not None else body

    def size(self, location: str) -> int:
        """Return the length told to a HEAD, or to a GET of the first byte where HEAD does not tell."""
        with contextlib.closing(self._open("HEAD", location, {})) as answer:
            gone = answer.status_code in _GONE
            length = _content_length(answer) if answer.status_code == requests.codes.ok else None
        if gone:
            raise errors.NotFound(location=location)
        if length is not None:
            return length
        with contextlib.closing(_checked(self._open("GET", location, _range_header(0, 1)), location)) as answer:
            length = _content_length(answer) if answer.status_code == requests.codes.ok else _content_range(answer)[1]
        if length is None:
            raise errors.RemoteServiceUnavailable(reason="the server does not tell the size")
        return length

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _open(self, method: str, location: str, headers: dict[str, str]) -> requests.Response:
        """Return the first answer that is no redirect.

        Credentials go to the server that the location names and to no other.
        """
        parsed = HttpLocation(None, None)
        parsed.parse_uri(location)
        first = url = parsed.public_uri()
        for _ in range(MAX_REDIRECTS + 1):
            auth = parsed.credentials() if _origin(url) == _origin(first) else None
            response = self._send(method, url, headers, auth, location)
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            url = _target(response, url)
        raise errors.MaxRedirectsExceeded(redirects=MAX_REDIRECTS, location=location)

    def _send(
        self, method: str, url: str, headers: dict[str, str], auth: tuple[str, str] | None, location: str
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                url,
                headers=headers,
                auth=auth,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise errors.BadStoreUri(location=location, reason="it is no usable address") from error
        except requests.RequestException as error:
            raise errors.RemoteServiceUnavailable(reason=_cause(error)) from None


class _Body(Iterator[bytes]):
    """The bytes of an answer as they were sent; closes the answer at its end."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._blocks = response.raw.stream(BLOCK, decode_content=False)

    def __next__(self) -> bytes:
        try:
            block: bytes = next(self._blocks)
        except StopIteration:
            self.close()
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self.close()
            raise errors.RemoteServiceUnavailable(reason="the answer broke off") from error
        return block

    def close(self) -> None:
        """Give the connection back; may be repeated."""
        self._response.close()


def _checked(response: requests.Response, location: str) -> requests.Response:
    """Return an answer with data or about a range; close all others and raise what they mean."""
    status = response.status_code
    if status in (
        requests.codes.ok,
        requests.codes.partial_content,
        requests.codes.requested_range_not_satisfiable,
    ):
        return response
    response.close()
    if status in _GONE:
        raise errors.NotFound(location=location)
    if status in _REFUSED:
        raise errors.Forbidden(location=location)
    raise errors.RemoteServiceUnavailable(reason=f"the server answered {status}")


def _range_header(offset: int, length: int | None) -> dict[str, str]:
    """Return the Range header, none for everything; a length of 0 asks for one byte, to be dropped."""
    if offset == 0 and length is None:
        return {}
    end = "" if length is None else offset + max(length, 1) - 1
    return {"Range": f"bytes={offset}-{end}"}


def _nothing(response: requests.Response, location: str, offset: int) -> Iterator[bytes]:
    """Return no bytes if "not satisfiable" means the very end of the data, else raise InvalidRange."""
    response.close()
    _, total = _content_range(response)
    if offset != (total or 0):
        raise errors.InvalidRange(offset=offset, location=location)
    return iter(())


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return the first byte and the whole size that Content-Range tells, None for what it does not."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not found:
        return None, None
    start, total = found.groups()
    return (None if start is None else int(start)), (None if total == "*" else int(total))


def _content_length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port: what credentials are meant for."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _target(response: requests.Response, url: str) -> str:
    """Return the address a redirect leads to. Raises BadStoreUri for another scheme than http and https."""
    target = urljoin(url, requests.utils.requote_uri(response.headers.get("Location", "")))
    parsed = HttpLocation(None, None)
    parsed.parse_uri(target)
    return parsed.get_uri()


def _cause(error: requests.RequestException) -> str:
    """Return why there is no answer, without the address that the library puts into its texts."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    return "no connection"
