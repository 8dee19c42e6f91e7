"""The services that layers are built from, in addition to the configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from glance_mini.cache.node import ImageCache
from glance_mini.content.signatures import Certificates
from glance_mini.db.interface import DataAccess
from glance_mini.domain.imports import METHOD_RULES, MethodRule
from glance_mini.maintenance.health import Health
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import EventPublisher
from glance_mini.policies.enforcer import Enforcer
from glance_mini_store.buffers import Buffers
from glance_mini_store.stores import Stores


@dataclass(frozen=True)
class Services:
    """The services that layers are built from, in addition to the configuration; one of each in a process.

    ``wake_workers`` is called after a job was added; it never blocks and never raises. ``check_uri`` raises Invalid for
    a URL that the service does not fetch from. ``certificates`` are those of the key manager. ``node_url`` is the URL
    of this node for other nodes, None for the only node. ``import_methods`` are the methods that can be enabled.
    ``buffers`` is the memory of transfers. ``cache`` is the cache of this node, None without one; ``wake_caches`` is
    called after an image was deleted or deactivated, never blocks and never raises.
    ``find_warnings`` returns what operators are warned about in the configuration.
    ``health`` checks what the service depends on; only a process that answers requests starts it.
    """

    data: DataAccess
    wake_workers: Callable[[], None]
    stores: Stores
    enforcer: Enforcer
    publisher: EventPublisher
    leases: LeaseKeeper
    metrics: Metrics
    check_uri: Callable[[str], object]
    certificates: Certificates
    health: Health
    node_url: str | None = None
    import_methods: Mapping[str, MethodRule] = field(default_factory=lambda: METHOD_RULES)
    buffers: Buffers = field(default_factory=Buffers)
    cache: ImageCache | None = None
    wake_caches: Callable[[], None] = lambda: None
    find_warnings: Callable[[], Sequence[str]] = tuple
