"""Decides which addresses the service fetches from for its users (``[import_filtering_opts]``).

It protects the network of the service: a URL is parsed strictly, its host is resolved once and each address is checked.
The client connects only to addresses that pass.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.fetching.addresses import HostList, is_public
from glance_mini_store.errors import AddressRefused
from glance_mini_store.web.target import (
    DEFAULT_PORTS,
    Address,
    Resolver,
    Target,
    addresses_of,
    host_of,
    plain,
    port_of,
    request_target,
    resolve,
    split_url,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Allowed values or, if there are none, disallowed values."""

    allowed: Collection[str | int] = ()
    disallowed: Collection[str | int] = ()

    def __contains__(self, value: str | int) -> bool:
        return value in self.allowed if self.allowed else value not in self.disallowed


WEB_SCHEMES = Choice(allowed=("http", "https"))
WEB_PORTS = Choice(allowed=(80, 443))


class UriFilter:
    """The operator's lists of schemes, ports and hosts; shared by all threads."""

    def __init__(
        self,
        *,
        schemes: Choice = WEB_SCHEMES,
        ports: Choice = WEB_PORTS,
        allowed_hosts: Sequence[str] = (),
        disallowed_hosts: Sequence[str] = (),
        resolver: Resolver = resolve,
    ) -> None:
        """Raise ConfigurationError if a network is malformed."""
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

    def check(self, url: str, *, by_proxy: bool = False) -> Target:
        """Return the target of ``url`` with its allowed addresses; raises AddressRefused, HostUnknown.

        A name that only a proxy can resolve passes if the lists allow it by name. Queries the DNS.
        """
        parts = split_url(url)
        if parts.scheme not in DEFAULT_PORTS or parts.scheme not in self._schemes:
            raise AddressRefused(reason=f"the scheme '{parts.scheme[:20]}' is not allowed.")
        host, port = host_of(parts), port_of(parts)
        if parts.port is not None and port not in self._ports:
            raise AddressRefused(reason=f"port {port} of host {host} is not allowed.")
        addresses = self._allowed_of(host, addresses_of(host, port, self._resolver, by_proxy=by_proxy))
        return Target(parts.scheme, host, port, request_target(parts), addresses)

    def _allowed_of(self, host: str, addresses: Sequence[str]) -> tuple[str, ...]:
        """Return the allowed ones of ``addresses``; error texts never show an address.

        Raises AddressRefused if none is left, with the reason of the first address.
        """
        if self._allowed.has_name(host):
            return tuple(addresses)
        if self._disallowed.has_name(host) and not self._allowed:
            raise AddressRefused(reason=f"host {host} is not allowed.")
        if not addresses and self._allowed:
            raise AddressRefused(reason=f"host {host} is not among those that are allowed.")
        reasons = {address: self._objection(plain(address)) for address in addresses}
        passed = tuple(address for address, reason in reasons.items() if reason is None)
        if reasons and not passed:
            raise AddressRefused(reason=f"host {host} {next(iter(reasons.values()))}")
        return passed

    def _objection(self, address: Address) -> str | None:
        """Return why ``address`` is refused, None if it is allowed."""
        if self._allowed and not self._allowed.has_address(address):
            return "is not among those that are allowed."
        if not (is_public(address) or self._allowed.has_private(address)):
            return "is not at a public address."
        if not self._allowed and self._disallowed.has_address(address):
            return "is not allowed."
        return None


def _lower(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]
