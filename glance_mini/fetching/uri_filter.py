"""Decides which addresses the service fetches from for its users (reference 6.8).

It protects the network that the service stands in: a URL is taken apart strictly, its name resolved once, and every
address that came out is judged. Who connects uses these very addresses, so a name cannot change in between.
"""

import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, quote, urlsplit

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError, Invalid
from glance_mini.imports.addresses import Address, HostList, is_public, plain

Resolver = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host for a port; raises OSError. Blocks."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_LONGEST = 8000
_STRANGE = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_LETTERS = "%/:=?&~+!$,;'()*@[]"


class UriRefused(Invalid):
    """A URI that the service does not fetch from; ``reason`` names the host where there is one."""

    code = "import.uri_refused"
    template = "The URI does not pass filtering: {reason}"


class HostUnknown(UriRefused):
    """The name of the host has no address, perhaps only now."""

    code = "import.host_unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed: ``addresses`` are those to connect to, ``path`` is the request target with its query."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: whom credentials are meant for."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """The value of the header Host (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of ``host`` as the system's resolver gives them; raises OSError. Blocks."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Choice:
    """Values that are allowed, or where none are listed, values that are not."""

    allowed: Collection[str | int] = ()
    disallowed: Collection[str | int] = ()

    def __contains__(self, value: str | int) -> bool:
        return value in self.allowed if self.allowed else value not in self.disallowed


WEB_SCHEMES = Choice(allowed=("http", "https"))
WEB_PORTS = Choice(allowed=(80, 443))


class UriFilter:
    """The operator's lists; shared by all threads."""

    def __init__(
        self,
        *,
        schemes: Choice = WEB_SCHEMES,
        ports: Choice = WEB_PORTS,
        allowed_hosts: Sequence[str] = (),
        disallowed_hosts: Sequence[str] = (),
        resolver: Resolver = resolve,
    ) -> None:
        """Raises ConfigurationError where a network cannot be read."""
        self._schemes = schemes
        self._ports = ports
        try:
            self._allowed = HostList(allowed_hosts)
            self._disallowed = HostList(disallowed_hosts)
        except ValueError as error:
            raise ConfigurationError(reason=f"[import_filtering_opts]: {error}") from error
        self._resolver = resolver

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the filter of ``[import_filtering_opts]``."""
        group = conf.import_filtering_opts
        return cls(
            schemes=Choice(_lower(group.allowed_schemes), _lower(group.disallowed_schemes)),
            ports=Choice(group.allowed_ports, group.disallowed_ports),
            allowed_hosts=group.allowed_hosts,
            disallowed_hosts=group.disallowed_hosts,
        )

    def check(self, url: str) -> Target:
        """Return where ``url`` leads; raises UriRefused, HostUnknown where a name does not resolve. Asks the DNS."""
        parts = _split(url)
        if parts.scheme not in DEFAULT_PORTS or parts.scheme not in self._schemes:
            raise UriRefused(reason=f"the scheme '{parts.scheme[:20]}' is not allowed.")
        host = _host(parts)
        port = self._port(parts, host)
        addresses = self._resolve(host, port)
        self._check_host(host, [plain(address) for address in addresses])
        path = quote(parts.path or "/", safe=_PATH_LETTERS)
        query = f"?{quote(parts.query, safe=_PATH_LETTERS)}" if parts.query else ""
        return Target(parts.scheme, host, port, path + query, addresses)

    def _port(self, parts: SplitResult, host: str) -> int:
        try:
            port = parts.port
        except ValueError as error:
            raise UriRefused(reason=f"the port of host {host} is no port.") from error
        if port is None:
            return DEFAULT_PORTS[parts.scheme]
        if port not in self._ports:
            raise UriRefused(reason=f"port {port} of host {host} is not allowed.")
        return port

    def _resolve(self, host: str, port: int) -> tuple[str, ...]:
        if _is_address(host):
            return (host,)
        try:
            addresses = tuple(self._resolver(host, port))
        except (OSError, UnicodeError) as error:
            raise HostUnknown(reason=f"host {host} cannot be resolved.") from error
        if not addresses:
            raise HostUnknown(reason=f"host {host} has no address.")
        return addresses

    def _check_host(self, host: str, addresses: Sequence[Address]) -> None:
        """Refuse a host when any of its addresses is refused; the texts never tell an address."""
        if self._allowed.has_name(host):
            return
        if self._allowed and not all(self._allowed.has_address(address) for address in addresses):
            raise UriRefused(reason=f"host {host} is not among those that are allowed.")
        if not all(is_public(address) or self._allowed.has_private(address) for address in addresses):
            raise UriRefused(reason=f"host {host} is not at a public address.")
        if not self._allowed and (self._disallowed.has_name(host) or any(map(self._disallowed.has_address, addresses))):
            raise UriRefused(reason=f"host {host} is not allowed.")


def _lower(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]


def _split(url: str) -> SplitResult:
    """Return the parts of an absolute URL without credentials; the texts show nothing of a URL that has any."""
    if len(url) > _LONGEST or _STRANGE.search(url):
        raise UriRefused(reason="it is too long or has characters that no URI has.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UriRefused(reason="it cannot be read.") from error
    if "@" in parts.netloc:
        raise UriRefused(reason="it has a user name or password, which are not taken.")
    return parts


def _host(parts: SplitResult) -> str:
    """Return the host in its one spelling: a name in lower case and ASCII, or an address as it is usually written.

    An address in any other way of writing is refused, because readers differ about what it means.
    """
    written = parts.hostname or ""
    try:
        host = written if ":" in written else written.encode("idna").decode().lower().removesuffix(".")
        if _is_address(host):
            return str(plain(host))
    except ValueError as error:
        raise UriRefused(reason=f"host {_printable(written)} is no address in the usual form.") from error
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise UriRefused(reason=f"host {_printable(written)} is no name of a host.")
    return host


def _is_address(host: str) -> bool:
    """Tell whether ``host`` is an address in whatever form; a name never ends in a number (RFC 1123 section 2.1)."""
    return ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])
