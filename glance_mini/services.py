"""Makes what the layers are built from, once in a process, and ends it again."""

from contextlib import ExitStack

from oslo_config import cfg

from glance_mini.conf.staging import staging_directory
from glance_mini.db.factory import open_access
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.fetching.uri_filter import UriFilter
from glance_mini.imports.method_rules import load_method_rules
from glance_mini.layers.base import Services
from glance_mini.metrics import Metrics
from glance_mini.notifications.outbox import open_publisher
from glance_mini.notifications.task_events import TaskEvents
from glance_mini.policies.enforcer import Enforcer
from glance_mini.signatures import KeyManager
from glance_mini.transfers.leases import LeaseKeeper
from glance_mini.transfers.reaper import Reaper
from glance_mini.workers.wakeup import open_waker
from glance_mini_store.drivers.file.options import OPTIONS as FILE_OPTIONS
from glance_mini_store.registry import Stores


def open_services(conf: cfg.ConfigOpts, undo: ExitStack, pipe: int | None = None) -> Services:
    """Return the services that ``conf`` describes, their threads not started; ``undo`` closes them.

    ``pipe`` is the end of a pipe by which the worker of this machine is woken; None where there is none. Raises
    ConfigurationError and what a store that is not optional raises.
    """
    metrics = Metrics()
    access = open_access(conf)
    undo.callback(access.data.close)
    stores = open_stores(conf)
    undo.callback(stores.close)
    for store in stores:
        metrics.store_available.labels(store.id).set(store.available)
    publisher = open_publisher(conf, access.outbox, metrics)
    undo.callback(publisher.close)
    leases = LeaseKeeper(access.data, conf.transfers.lease_seconds)
    undo.callback(leases.close)
    waker = open_waker(conf, pipe)
    undo.callback(waker.close)

    def count(rule: str, is_allowed: bool) -> None:
        metrics.policy_decisions.labels(rule, "allowed" if is_allowed else "refused").inc()

    return Services(
        data=access.data,
        jobs=access.jobs.watched_by(TaskEvents(publisher)),
        outbox=access.outbox,
        wake_workers=waker.wake,
        stores=stores,
        enforcer=Enforcer.from_config(conf, count),
        publisher=publisher,
        leases=leases,
        metrics=metrics,
        check_uri=UriFilter.from_config(conf).check,
        certificates=KeyManager(conf).certificates,
        address=conf.worker_self_reference_url or conf.public_endpoint,
        import_methods=load_method_rules(conf),
    )


def open_reaper(conf: cfg.ConfigOpts, services: Services) -> Reaper:
    """Return the reaper of a process that has ``services``, its thread not started."""
    interval = conf.transfers.reaper_interval
    return Reaper(services.data, services.stores, services.leases, services.metrics, interval, host=services.address)


def open_stores(conf: cfg.ConfigOpts) -> Stores:
    """Return the stores that ``conf`` describes, with the staging area where an import method is enabled.

    Raises what ``Stores.from_config`` raises.
    """
    judge = UriFilter.from_config(conf)
    if not conf.enabled_import_methods:
        return Stores.from_config(conf, judge=judge)
    if conf.staging_store_driver == "file":
        conf.register_opts(FILE_OPTIONS, group=STAGING_STORE)
        conf.set_default("filesystem_store_datadir", staging_directory(conf), group=STAGING_STORE)
    return Stores.from_config(conf, {STAGING_STORE: conf.staging_store_driver}, judge)
