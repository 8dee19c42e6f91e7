"""The one composition root: makes the objects of a process once, and closes them.

The API, the worker, every command and the tests build what they need here, from a configuration that is an argument.
Nothing runs before it is started, so that a process may fork first.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from paste.deploy.loadwsgi import ConfigLoader

from glance_mini.background import Part
from glance_mini.cache.catalog import Catalog
from glance_mini.cache.directory import CacheDirectory
from glance_mini.cache.node import ImageCache
from glance_mini.conf.database import has_database, sqlite_file
from glance_mini.conf.deprecated import find_deprecated
from glance_mini.conf.image_cache import is_central
from glance_mini.conf.paste_deploy import authentication
from glance_mini.conf.staging import staging_directory
from glance_mini.conf.validation import examine
from glance_mini.content.signatures import KeyManager
from glance_mini.db.factory import open_cache_file, open_data_access
from glance_mini.db.interface import DataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.errors import ConfigurationError, Forbidden, NotFound
from glance_mini.domain.job import VERIFY
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.event_stream.hub import EventHub
from glance_mini.fetching.uri_filter import UriFilter
from glance_mini.imports.method_rules import load_method_rules
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack, load_stack
from glance_mini.maintenance.health import (
    Check,
    Health,
    check_broker,
    check_database,
    check_disk,
    check_queue,
    check_store,
)
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.maintenance.reaper import Reaper
from glance_mini.metrics import Metrics
from glance_mini.notifications.opening import open_data_and_publisher
from glance_mini.notifications.outbox import OutboxPublisher, stored_events
from glance_mini.notifications.publisher import Send
from glance_mini.operations.images import GetImage
from glance_mini.policies.enforcer import Enforcer
from glance_mini.policies.findings import find_superfluous
from glance_mini.verification.settings import VerifySettings
from glance_mini.workers.wakeup import Silence, open_cache_listener, open_cache_waker, open_waker, transport_url
from glance_mini_store.buffers import MIB, Buffers, give_freed_blocks_back
from glance_mini_store.drivers.file.options import OPTIONS as FILE_OPTIONS
from glance_mini_store.errors import StoreError, UnknownStore
from glance_mini_store.stores import Stores

if TYPE_CHECKING:
    from glance_mini.cache.keeper import CacheKeeper
    from glance_mini.notifications.dispatcher import Dispatcher
    from glance_mini.registry.application import RegistryApplication
    from glance_mini.workers.loop import Worker

LOG = logging.getLogger(__name__)

PASTE_FILE = "glance-mini-paste.ini"

VERIFIER_POLL = 0.2
"""Seconds between two looks of a command for the job that it has made itself."""


class LoadedApplication:
    """The whole service as a WSGI application; ``close`` releases its resources.

    A server that has an access log sets ``log_request``, and calls it after each answer. One that can tell the
    application to read again what may change while it runs sets ``read_again``, which a signal handler may call.
    """

    log_request: Callable[[WSGIEnvironment, int, int, int, float], None] | None = None
    read_again: Callable[[], None] | None = None

    def __init__(self, app: WSGIApplication, stores: Stores, on_close: ExitStack) -> None:
        self.stores = stores
        self._app = app
        self._on_close = on_close

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._app(environ, start_response)

    def close(self) -> None:
        """Stop the threads and close layers and services; call it once, at shutdown."""
        self._on_close.close()


def load_application(
    conf: cfg.ConfigOpts, pipe: int | None = None, store_conf: cfg.ConfigOpts | None = None
) -> LoadedApplication:
    """Return the application that ``conf`` describes, with running threads; call it in the process that serves.

    ``pipe`` and ``store_conf`` as for ``open_services``. Raises ConfigurationError.
    """
    with ExitStack() as undo:
        services = open_services(conf, undo, pipe, store_conf=store_conf)
        stack = open_stack(conf, services, undo)
        parts: list[Part] = [open_reaper(conf, services)]
        if services.cache is not None:
            keeper = open_cache_keeper(conf, services, services.cache)
            parts += (keeper, open_cache_listener(conf, keeper.wake))
        app = compose(conf, services, stack, parts)
        for part in parts:
            undo.callback(part.close)
        parts += (services.publisher, services.leases, services.health)
        for part in parts:
            part.start()
        return LoadedApplication(app, services.stores, undo.pop_all())


def start_worker(
    conf: cfg.ConfigOpts,
    undo: ExitStack,
    pipe: int | None = None,
    store_conf: cfg.ConfigOpts | None = None,
) -> "tuple[Worker, Stores]":
    """Return a worker that already takes jobs, and its stores; ``undo`` closes them after its jobs have ended.

    ``store_conf`` as for ``open_services``; ``pipe`` is the end of a pipe with which the service on this machine wakes
    it. Raises ConfigurationError, and what a store that is not optional raises.
    """
    from glance_mini.maintenance.expiry import Cleaner
    from glance_mini.workers.base import load_job_types
    from glance_mini.workers.loop import Worker
    from glance_mini.workers.settings import WorkerSettings
    from glance_mini.workers.wakeup import Wakeup, open_listener

    services = open_services(conf, undo, store_conf=store_conf)
    stack = open_stack(conf, services, undo)
    types = load_job_types(conf, services, stack)
    wakeup, settings = Wakeup(), WorkerSettings.from_config(conf)
    worker = Worker(services.data, types, wakeup, settings, services.metrics, node_url=services.node_url)
    parts: list[Part] = [
        open_reaper(conf, services),
        Cleaner(services.data, sweeps=open_sweeps(conf, services), keep_events=timedelta(seconds=conf.events.keep)),
        open_listener(conf, wakeup.wake, pipe),
    ]
    if isinstance(services.publisher, OutboxPublisher):
        parts.append(open_dispatcher(conf, services))
    services.publisher.start()
    services.leases.start()
    for part in parts:
        undo.callback(part.close)
        part.start()
    worker.start()
    return worker, services.stores


def open_verifier(conf: cfg.ConfigOpts, undo: ExitStack) -> Services:
    """Return the services of a process that runs jobs which verify stores, and nothing else; ``undo`` ends them.

    Raises ConfigurationError, and what a store that is not optional raises.
    """
    from glance_mini.workers.base import load_job_types
    from glance_mini.workers.loop import Worker
    from glance_mini.workers.settings import WorkerSettings
    from glance_mini.workers.wakeup import Wakeup

    services = open_services(conf, undo)
    services.publisher.start()
    settings = replace(WorkerSettings.from_config(conf), threads=1, poll_interval=VERIFIER_POLL)
    types = {VERIFY: load_job_types(conf, services, open_stack(conf, services, undo))[VERIFY]}
    worker = Worker(services.data, types, Wakeup(), settings, services.metrics, node_url=services.node_url)
    undo.callback(worker.join, conf.workers.graceful_timeout)
    undo.callback(worker.stop)
    worker.start()
    return services


def load_registry(conf: cfg.ConfigOpts, *, starts: bool = True) -> "RegistryApplication":
    """Return the registry that ``conf`` describes; if it ``starts``, call it in the process that serves.

    Raises ConfigurationError.
    """
    from glance_mini.registry.application import EventSwitch, RegistryApplication
    from glance_mini.registry.keys import KeyCleaner
    from glance_mini.registry.metrics import RegistryMetrics
    from glance_mini.registry.roles import Nodes, read_roles

    service = conf.registry_service
    nodes = Nodes(read_roles(service.node_roles))
    events = EventSwitch(stored_events(frozenset(conf.disabled_notifications)))
    with ExitStack() as undo:
        data = open_data_access(conf, events)
        undo.callback(data.close)
        cleaner = KeyCleaner(data, service.keep_keys)
        undo.callback(cleaner.close)
        if starts:
            cleaner.start()
        max_call = service.max_call_mib * MIB
        on_close = undo.pop_all().close
        application = RegistryApplication(data, nodes, RegistryMetrics(), events, max_call, on_close=on_close)
        application.roles_from(lambda: read_roles(_read_again(conf).registry_service.node_roles))
        return application


def _read_again(conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """Return ``conf`` after its options that may change were read from its files again; raises cfg.Error."""
    conf.mutate_config_files()
    return conf


def rehearse(conf: cfg.ConfigOpts, fill: Callable[[DataAccess], None] | None = None) -> None:
    """Make all parts of a service and of its worker, without starting them, and close them.

    ``fill`` gets the data access, to write what a new database needs. Raises ConfigurationError and what a store that
    is not optional raises.
    """
    from glance_mini.workers.base import load_job_types

    with ExitStack() as undo:
        services = open_services(conf, undo)
        if fill is not None:
            fill(services.data)
        stack = open_stack(conf, services, undo)
        compose(conf, services, stack, [])
        load_job_types(conf, services, stack)


def open_services(
    conf: cfg.ConfigOpts,
    undo: ExitStack,
    pipe: int | None = None,
    send: Send | None = None,
    store_conf: cfg.ConfigOpts | None = None,
) -> Services:
    """Return the services that ``conf`` describes, without starting their threads; ``undo`` closes them.

    ``store_conf`` has the sections of the stores if they were read again since. ``pipe`` is the end of a pipe that
    wakes the worker of this machine; None without one. ``send`` takes the events instead of the broker, for tests.
    Raises ConfigurationError and what a store that is not optional raises.
    """
    give_freed_blocks_back()
    metrics = Metrics()
    data, publisher = open_data_and_publisher(conf, metrics, undo, send)
    buffers = Buffers(conf.transfers.memory_mib * MIB, conf.transfers.memory_wait)
    stores = open_stores(store_conf or conf, buffers)
    undo.callback(stores.close)
    for store in stores:
        metrics.store_available.labels(store.id).set(store.available)
    leases = LeaseKeeper(data, conf.transfers.lease_seconds)
    undo.callback(leases.close)
    waker = open_waker(conf, pipe)
    undo.callback(waker.close)
    cache_waker = open_cache_waker(conf) if conf.image_cache_dir else Silence()
    undo.callback(cache_waker.close)
    health = open_health(conf, data, stores, metrics)
    undo.callback(health.close)
    return Services(
        data=data,
        wake_workers=waker.wake,
        stores=stores,
        enforcer=Enforcer.from_config(conf, metrics.policy_decisions),
        publisher=publisher,
        leases=leases,
        metrics=metrics,
        check_uri=UriFilter.from_config(conf).check,
        certificates=KeyManager(conf).certificates,
        health=health,
        node_url=conf.worker_self_reference_url or conf.public_endpoint,
        import_methods=load_method_rules(conf),
        buffers=buffers,
        cache=open_cache(conf, data, metrics, undo),
        wake_caches=cache_waker.wake,
        find_warnings=partial(find_warnings, conf),
    )


def find_warnings(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """Return a sentence for each option without effect, deprecated option and superfluous policy rule.

    The files are read anew; one that cannot be used any more is a warning too. Values of options are not named.
    """
    findings = examine(conf)
    warnings = [*findings.problems, *findings.warnings]
    for find in (find_deprecated, find_superfluous):
        try:
            warnings += find(conf)
        except (ConfigurationError, OSError, ValueError) as error:
            warnings.append(str(error))
    return tuple(warnings)


def open_cache(conf: cfg.ConfigOpts, data: DataAccess, metrics: Metrics, undo: ExitStack) -> ImageCache | None:
    """Return the cache of this node, None if ``image_cache_dir`` is not set; ``undo`` closes it.

    Raises ConfigurationError if the directory cannot be used.
    """
    if not conf.image_cache_dir:
        return None
    directory = CacheDirectory(Path(conf.image_cache_dir), conf.image_cache_max_size)
    try:
        directory.prepare()
        if is_central(conf):
            catalog = Catalog(data, conf.worker_self_reference_url or "", is_central=True)
        else:
            catalog = Catalog(open_cache_file(directory.path / conf.image_cache_sqlite_db), "", is_central=False)
    except OSError as error:
        raise ConfigurationError(
            reason=f"[DEFAULT] image_cache_dir: {conf.image_cache_dir}: {error.strerror}"
        ) from error
    cache = ImageCache(directory, catalog, metrics, conf.cache.max_fills)
    undo.callback(cache.close)
    return cache


def open_cache_keeper(conf: cfg.ConfigOpts, services: Services, cache: ImageCache) -> "CacheKeeper":
    """Return the background work on the cache of this node, without starting it; log which stores it leaves out."""
    from glance_mini.cache.keeper import CacheKeeper
    from glance_mini.cache.prefetch import source_of
    from glance_mini.cache.settings import CacheSettings

    for store in services.stores:
        with suppress(StoreError):
            if cache.directory.device() not in store.devices():
                continue
            LOG.info("Images in store %s are not cached: its files are on the file system of the cache.", store.id)

    sources = partial(source_of, services.data, services.stores, services.metrics)
    return CacheKeeper(cache, services.data, sources, CacheSettings.from_config(conf))


def open_health(conf: cfg.ConfigOpts, data: DataAccess, stores: Stores, metrics: Metrics) -> Health:
    """Return the checks of what a process depends on, without starting them."""

    def record(name: str, is_usable: bool) -> None:
        kind, _, store = name.partition(" ")
        if kind == "store":
            metrics.store_available.labels(store).set(is_usable)

    checks: dict[str, Check] = {"database": partial(check_database, data), "workers": partial(check_queue, data)}
    if has_database(conf) and (database := sqlite_file(conf.database.connection)):
        checks["database disk"] = partial(check_disk, database.absolute().parent)
    if url := transport_url(conf):
        checks["broker"] = partial(check_broker, url)
    return Health(lambda: {**checks, **_store_checks(stores)}, record)


def _store_checks(stores: Stores) -> dict[str, Check]:
    checks: dict[str, Check] = {f"store {store.id}": partial(check_store, store) for store in stores}
    with suppress(UnknownStore):
        checks["staging"] = partial(check_store, stores.get(STAGING_STORE))
    return checks


def open_stack(conf: cfg.ConfigOpts, services: Services, undo: ExitStack) -> Stack:
    """Return the layers that ``conf`` names over ``services``; ``undo`` closes them. Raises ConfigurationError."""
    stack = load_stack(conf, services)
    undo.callback(stack.close)
    return stack


def open_reaper(conf: cfg.ConfigOpts, services: Services) -> Reaper:
    """Return the reaper of a process that has ``services``, without starting its thread."""
    interval = conf.transfers.reaper_interval
    return Reaper(services.data, services.stores, services.leases, services.metrics, interval, services.node_url)


def open_sweeps(conf: cfg.ConfigOpts, services: Services) -> list[Callable[[], int]]:
    """Return the functions that sweep the directories of this node, and begin what is due."""
    from glance_mini.maintenance.sweeper import sweep_staging, sweep_work
    from glance_mini.verification.schedule import begin_when_due

    sweeps: list[Callable[[], int]] = [partial(sweep_work, Path(conf.task.work_dir), services.data)]
    with suppress(UnknownStore):
        sweeps.append(partial(sweep_staging, services.stores.get(STAGING_STORE), services.data))
    sweeps.append(partial(begin_when_due, services.data, VerifySettings.from_config(conf)))
    return sweeps


def open_dispatcher(conf: cfg.ConfigOpts, services: Services) -> "Dispatcher":
    """Return a dispatcher to the broker that ``conf`` names; call it in the process that publishes."""
    # No other process needs oslo.messaging.
    from glance_mini.notifications.confirmed import open_confirmed
    from glance_mini.notifications.dispatcher import Dispatcher

    return Dispatcher(services.data, open_confirmed(conf), services.metrics)


def open_stores(conf: cfg.ConfigOpts, buffers: Buffers | None = None) -> Stores:
    """Return the stores that ``conf`` describes, with the staging area if an import method is enabled.

    Their drivers borrow memory from ``buffers``; None: each has its own budget.

    Raises what ``Stores.from_config`` raises.
    """
    return Stores.from_config(conf, _reserved_stores(conf), UriFilter.from_config(conf), buffers=buffers)


def update_stores(stores: Stores, conf: cfg.ConfigOpts) -> None:
    """Let ``stores`` be those that ``conf`` describes, while they are used; raises what ``Stores.update`` raises."""
    stores.update(conf, _reserved_stores(conf), UriFilter.from_config(conf))


def _reserved_stores(conf: cfg.ConfigOpts) -> dict[str, str]:
    """Return the drivers of the stores of the service itself by id, with defaults for their options."""
    if not conf.enabled_import_methods:
        return {}
    if conf.staging_store_driver == "file":
        conf.register_opts(FILE_OPTIONS, group=STAGING_STORE)
        conf.set_default("filesystem_store_datadir", staging_directory(conf), group=STAGING_STORE)
        # An import reads staged data soon.
        conf.set_default("filesystem_direct_io", False, group=STAGING_STORE)
    return {STAGING_STORE: conf.staging_store_driver}


def compose(conf: cfg.ConfigOpts, services: Services, stack: Stack, parts: list[Part]) -> WSGIApplication:
    """Return the middleware and the application of the configured flavour over ``stack``.

    The threads of the middleware are added to ``parts`` without being started. Raises ConfigurationError.
    """
    path = conf.paste_deploy.config_file or str(resources.files("glance_mini") / "etc" / PASTE_FILE)
    flavor = authentication(conf)
    hub = EventHub.from_config(conf, services.data, services.metrics, partial(_may_see, stack))
    objects = {"conf": conf, "services": services, "stack": stack, "parts": parts, "events": hub}
    try:
        app: WSGIApplication = ConfigLoader(path).get_app(flavor, global_conf=objects)
    except (OSError, LookupError) as error:
        raise ConfigurationError(reason=f"The flavour '{flavor}' cannot be loaded from {path}: {error}") from error
    hub.check_by(app)
    parts.append(hub)
    return app


def _may_see(stack: Stack, context: Context, image_id: str) -> bool:
    """Return whether a call of that caller may show an image."""
    try:
        stack.call(context, GetImage(image_id))
    except (NotFound, Forbidden):
        return False
    return True
