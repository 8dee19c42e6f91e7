"""Decides which network addresses are public, and parses the operator's lists of hosts."""

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from glance_mini_store.web.target import Address, plain

Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # the metadata service of a public cloud, at an address that looks public
    )
]

_UNICAST_6 = IPv6Network("2000::/3")

_NOT_PUBLIC_6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def is_public(address: Address) -> bool:
    """Return whether a plain address belongs to the public internet. Source: the registries of RFC 6890."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _has_public_part(network: Network) -> bool:
    if isinstance(network, IPv4Network):
        return not any(network.subnet_of(special) for special in _NOT_PUBLIC_4)
    return network.overlaps(_UNICAST_6) and not any(network.subnet_of(special) for special in _NOT_PUBLIC_6)


class HostList:
    """Names, addresses and networks in CIDR notation; false if it is empty. Raises ValueError on a bad network."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in entries:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(str(plain(entry.strip("[]")))))
        except ValueError:
            if "/" in entry:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            else:
                self._names.add(entry.rstrip("."))

    def __bool__(self) -> bool:
        return bool(self._names or self._networks)

    def has_name(self, host: str) -> bool:
        """Return whether ``host``, in lower case and without a dot at its end, is listed by name."""
        return host in self._names

    def has_address(self, address: Address) -> bool:
        """Return whether a plain address is listed, by itself or within a network."""
        return any(address in network for network in self._networks)

    def has_private(self, address: Address) -> bool:
        """Return whether it is listed by itself or within a network that has no public address."""
        return any(address in network and not _has_public_part(network) for network in self._networks)
