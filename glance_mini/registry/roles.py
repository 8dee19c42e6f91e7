"""Which node may send which call: a node's certificate gives it roles, and each class of calls names its callers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from glance_mini.domain.errors import ConfigurationError
from glance_mini.operations.base import DataCall, Role


@dataclass(frozen=True, slots=True)
class Node:
    """The sender of a call: the common name of its certificate, and its roles."""

    name: str
    roles: frozenset[Role]

    @property
    def sees_secrets(self) -> bool:
        """Whether answers hold the tokens of users: a node that only reads has no use for them."""
        return self.roles != {Role.READONLY}

    def may_send(self, call: type[DataCall[object]]) -> bool:
        """Return whether one of the node's roles is among the callers of ``call``."""
        return not self.roles.isdisjoint(call.callers)


Roles = Mapping[str, frozenset[Role]]
"""The roles of nodes by name."""

NOBODY = Node("", frozenset())
"""The sender of a request without a certificate."""


class Nodes:
    """Finds the node of a certificate; ``roles`` replaces the roles in the certificates of the nodes that it names."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def replace(self, roles: Roles) -> None:
        """Use other roles from the next call on, of nodes that are connected too."""
        self._roles = roles

    def node(self, certificate: Mapping[str, object]) -> Node:
        """Return the node of a verified certificate, in the form of ``ssl.SSLSocket.getpeercert``.

        Its name is the common name of the subject; its roles are the organizational units that are names of roles.
        """
        parts = cast(tuple[tuple[tuple[str, str], ...], ...], certificate.get("subject", ()))
        subject = [pair for part in parts for pair in part]
        name = next((value for key, value in subject if key == "commonName"), "")
        roles = self._roles.get(name)
        if roles is None:
            units = {value for key, value in subject if key == "organizationalUnitName"}
            roles = frozenset(role for role in Role if role in units)
        return Node(name, roles)


def read_roles(lines: Iterable[str]) -> dict[str, frozenset[Role]]:
    """Return the roles of each node in lines of the form ``name: role role``; raises ConfigurationError."""
    found: dict[str, frozenset[Role]] = {}
    for line in lines:
        name, colon, roles = line.rpartition(":")
        name = name.strip()
        if not colon or not name or name in found:
            fault = "names a node twice" if name in found else "is not 'node: roles'"
            raise ConfigurationError(reason=f"[registry_service] node_roles: '{line}' {fault}")
        try:
            found[name] = frozenset(map(Role, roles.split()))
        except ValueError as error:
            raise ConfigurationError(
                reason=f"[registry_service] node_roles: {error}; there are {', '.join(Role)}"
            ) from error
    return found
