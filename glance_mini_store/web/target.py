"""The target of a URL: the URL is parsed strictly and its host is resolved once. A judge checks the addresses.

The connection uses the addresses of the ``Target``, so that a name cannot change between the check and the connection.
Sources: RFC 3986 (URI), RFC 4291 section 2.5.5, RFC 6052 and RFC 3056 (addresses in addresses).
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Protocol
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from glance_mini_store.errors import AddressRefused, FetchRefused, HostUnknown

Address = IPv4Address | IPv6Address

Resolver = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host for a port; raises OSError. Blocks."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_LONGEST = 8000
_STRANGE = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_LETTERS = "%/:=?&~+!$,;'()*@[]"
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL: ``addresses`` are those to connect to, ``path`` is the request target with its query.

    ``addresses`` is empty if a proxy connects and the name does not resolve here.
    """

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port; credentials are for one origin."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """The value of the header Host (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class AddressJudge(Protocol):
    """Decides which addresses may be used; shared by all threads."""

    def check(self, url: str, *, by_proxy: bool = False) -> Target:
        """Return the target of ``url`` with its allowed addresses.

        Raises AddressRefused, and HostUnknown if the name does not resolve, unless a proxy connects (``by_proxy``).
        Queries the DNS.
        """


class Anywhere:
    """The judge that allows every valid http and https URL."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        """``resolver`` None: the system's."""
        self._resolver = resolver or resolve

    def check(self, url: str, *, by_proxy: bool = False) -> Target:
        """Return the target of ``url``; see ``AddressJudge``."""
        scheme, host, port = origin_of(url)
        addresses = addresses_of(host, port, self._resolver, by_proxy=by_proxy)
        return Target(scheme, host, port, request_target(split_url(url)), addresses)


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of ``host`` from the system's resolver; raises OSError. Blocks."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def addresses_of(host: str, port: int, resolver: Resolver, *, by_proxy: bool = False) -> tuple[str, ...]:
    """Return the addresses of ``host``, at least one unless a proxy connects; raises HostUnknown. Blocks."""
    if is_address(host):
        return (host,)
    try:
        addresses = tuple(resolver(host, port))
    except (OSError, UnicodeError) as error:
        if by_proxy:
            return ()
        raise HostUnknown(reason=f"host {host} cannot be resolved.") from error
    if not addresses and not by_proxy:
        raise HostUnknown(reason=f"host {host} has no address.")
    return addresses


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL; raises AddressRefused, also for credentials, without showing the URL."""
    if len(url) > _LONGEST or _STRANGE.search(url):
        raise AddressRefused(reason="it is too long or has characters that are not allowed in a URI.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressRefused(reason="it cannot be read.") from error
    if "@" in parts.netloc:
        raise AddressRefused(reason="it has a user name or password, which is not allowed.")
    return parts


def scheme_of(url: str) -> str:
    """Return the scheme of ``url``, http or https; raises AddressRefused."""
    scheme = split_url(url).scheme
    if scheme not in DEFAULT_PORTS:
        raise AddressRefused(reason=f"the scheme '{scheme[:20]}' is not allowed.")
    return scheme


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of ``url``; raises AddressRefused."""
    parts = split_url(url)
    return scheme_of(url), host_of(parts), port_of(parts)


def host_of(parts: SplitResult) -> str:
    """Return the host in canonical form: a name in lower case and ASCII, or an address in the usual notation.

    Raises AddressRefused for other notations of an address, because programs disagree about their meaning.
    """
    written = parts.hostname or ""
    try:
        host = written if ":" in written else written.encode("idna").decode().lower().removesuffix(".")
        if is_address(host):
            return str(plain(host))
    except ValueError as error:
        raise AddressRefused(reason=f"host {_printable(written)} is not an address in the usual form.") from error
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise AddressRefused(reason=f"host {_printable(written)} is not a valid host name.")
    return host


def port_of(parts: SplitResult) -> int:
    """Return the port, or the default one of the scheme; raises AddressRefused."""
    try:
        port = parts.port
    except ValueError as error:
        raise AddressRefused(reason=f"the port of host {_printable(parts.hostname or '')} is not valid.") from error
    return DEFAULT_PORTS.get(parts.scheme, 0) if port is None else port


def request_target(parts: SplitResult) -> str:
    """Return path and query for a request; characters not allowed in a URI are encoded once (RFC 3986 section 2)."""
    path = quote(parts.path or "/", safe=_PATH_LETTERS)
    return f"{path}?{quote(parts.query, safe=_PATH_LETTERS)}" if parts.query else path


def redirect_url(url: str, location: str) -> str:
    """Return the absolute URL in the ``Location`` header of a response from ``url``; raises FetchRefused.

    Some servers send raw UTF-8 and spaces; they are encoded as in browsers. ``location`` is ISO-8859-1.
    """
    raw = location.strip(" \t").encode("latin-1").replace(b" ", b"%20")
    if not raw:
        raise FetchRefused(reason="The server redirects without an address.")
    try:
        return urljoin(url, raw.decode())
    except UnicodeDecodeError:
        return urljoin(url, _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], raw).decode())
    except ValueError as error:
        raise AddressRefused(reason="it cannot be read.") from error


def plain(text: str) -> Address:
    """Return the address ``text`` without its zone, or the IPv4 address that an IPv6 address embeds.

    Raises ValueError.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_address(host: str) -> bool:
    """Return whether ``host`` is an address in any form; a name does not end in a number (RFC 1123 section 2.1)."""
    return ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])
