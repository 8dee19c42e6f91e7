"""What a layer is: one class with a method for each operation it changes, and ``below`` to hand on.

Composition and the checks at start are the stack's; see ``stack``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from oslo_config import cfg

from glance_mini.content.signatures import Certificates
from glance_mini.db.interface import DataAccess
from glance_mini.db.job_interface import JobAccess
from glance_mini.db.outbox_interface import OutboxAccess
from glance_mini.domain.context import Context
from glance_mini.domain.imports import METHOD_RULES, MethodRule
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.notifications.outbox import OutboxPublisher
from glance_mini.notifications.publisher import Publisher
from glance_mini.operations.base import Operation
from glance_mini.policies.enforcer import Enforcer
from glance_mini_store.stores import Stores

CONTRACT = 1
"""The layer contract that this release speaks; a layer names the one it was written for."""

Handler = Callable[[Context, Any], Any]


@dataclass(frozen=True)
class Services:
    """What layers are built from beside the configuration; one of each in a process.

    ``wake_workers`` is called after a job was added; it never blocks and never raises. ``check_uri`` raises Invalid for
    an address that the service does not fetch from. ``certificates`` are those of the key manager. ``address`` is where
    the other nodes reach this one, None where there are none. ``import_methods`` are those that can be enabled.
    """

    data: DataAccess
    jobs: JobAccess
    outbox: OutboxAccess
    wake_workers: Callable[[], None]
    stores: Stores
    enforcer: Enforcer
    publisher: Publisher | OutboxPublisher
    leases: LeaseKeeper
    metrics: Metrics
    check_uri: Callable[[str], object]
    certificates: Certificates
    address: str | None = None
    import_methods: Mapping[str, MethodRule] = field(default_factory=lambda: METHOD_RULES)


class Layer:
    """Base of all layers. A layer object is shared by all threads: state of a request stays in locals.

    Handlers are methods named as the operation, ``(context, op)``, returning its result. ``around``, where there is
    one, sees the public operations that have no method of their own. ``answers`` names the operations that the layer
    completes itself.
    """

    name: ClassVar[str]
    contract: ClassVar[int] = CONTRACT
    answers: ClassVar[frozenset[str]] = frozenset()

    _below: Mapping[str, Handler]

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        """Return the layer as configured; raises ConfigurationError where that cannot be."""
        return cls()

    def bind(self, below: Mapping[str, Handler]) -> None:
        """Take the next handler for each operation; called once, by the stack."""
        self._below = below

    def below(self, context: Context, op: Operation) -> Any:
        """Return the result of ``op`` from the next layer that is interested in it.

        ``op`` may be the operation that came, a rewritten copy or another operation.
        """
        return self._below[op.name](context, op)

    def close(self) -> None:
        """Release what the layer holds; called once, at shutdown."""
