"""Makes what the layers are built from, once in a process, and ends it again."""

from contextlib import ExitStack

from oslo_config import cfg

from glance_mini.db.factory import open_data_access
from glance_mini.layers.base import Services
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Publisher
from glance_mini.policies.enforcer import Enforcer
from glance_mini.transfers.leases import LeaseKeeper
from glance_mini_store.registry import Stores


def open_services(conf: cfg.ConfigOpts, undo: ExitStack) -> Services:
    """Return the services that ``conf`` describes, their threads not started; ``undo`` closes them.

    Raises ConfigurationError and what a store that is not optional raises.
    """
    metrics = Metrics()
    data = open_data_access(conf)
    undo.callback(data.close)
    stores = Stores.from_config(conf)
    undo.callback(stores.close)
    for store in stores:
        metrics.store_available.labels(store.id).set(store.available)
    publisher = Publisher.from_config(conf, metrics)
    undo.callback(publisher.close)
    leases = LeaseKeeper(data, conf.transfers.lease_seconds)
    undo.callback(leases.close)

    def count(rule: str, is_allowed: bool) -> None:
        metrics.policy_decisions.labels(rule, "allowed" if is_allowed else "refused").inc()

    return Services(
        data=data,
        stores=stores,
        enforcer=Enforcer.from_config(conf, count),
        publisher=publisher,
        leases=leases,
        metrics=metrics,
    )
