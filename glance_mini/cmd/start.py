"""``glance-mini serve``: from the command line to a listening server.

This runs in the master process. It imports the modules of the application once, for all processes that it starts, but
builds nothing of it: connections and threads are made in its children.
"""

import argparse
import contextlib
import logging
import os
import shlex
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from wsgiref.types import WSGIApplication

from oslo_config import cfg

from glance_mini import conf as configuration
from glance_mini.cmd.child import run_in_child
from glance_mini.cmd.console import find_source
from glance_mini.cmd.expected import EXPECTED, describe, print_error
from glance_mini.cmd.importing import imported
from glance_mini.cmd.logs import log_as_configured, log_early
from glance_mini.cmd.reloading import StoreReader
from glance_mini.cmd.serve.server import ServerSettings, run
from glance_mini.cmd.serve_arguments import apply_arguments
from glance_mini.conf.database import has_database, sqlite_file
from glance_mini.conf.identity import serves_identity
from glance_mini.conf.paste_deploy import authentication
from glance_mini.conf.server import local_endpoint
from glance_mini.plugins import read_entry_points
from glance_mini.standalone.clouds import CLOUD, LOGIN_CLOUD
from glance_mini.standalone.state import Source, StateDirectory, lock_database

PROGRAM = "glance-mini"

LOG = logging.getLogger(__name__)

CANNOT_BUILD = 3
"""The exit code if the application cannot be built; gunicorn then starts no further worker and stops."""

TRANSFERS = r"PUT (?:/v2(?:\.[0-9]+)?)?/images/[^/]+/(?:file|stage)"
"""The requests whose bodies are image data; with an ``Accept`` header the version may be missing from the path."""

_MODULES = (
    "glance_mini.api.application",
    "glance_mini.api.health_page",
    "glance_mini.api.identity.application",
    "glance_mini.api.openapi",
    "glance_mini.api.paste",
    "glance_mini.bootstrap",
    "glance_mini.cmd.access_log",
    "glance_mini.cmd.worker",
    "glance_mini.jobs.import_image",
    "glance_mini.layers.auth",
    "glance_mini.layers.database",
    "glance_mini.layers.location",
    "glance_mini.layers.policy.layer",
    "glance_mini.layers.quota.layer",
)
"""What takes most of the time to import; each process imports the rest for itself."""

_DATA_MODULES = {True: "glance_mini.db.sqlalchemy.access", False: "glance_mini.db.remote"}
"""The same for the data access: whether the node has a database, and the module."""

_FILES = 1024
"""Open files of a process beside those of its requests and of clients that follow events."""
_FLAVORS_OF_CLOUD = ("token", "none")


def start(arguments: argparse.Namespace) -> int:
    """Serve until stopped and return the exit code; raises ConfigurationError and OSError before it listens."""
    source = find_source(arguments)
    if source.state is not None:
        # Other modules make the database and the images, and leave their permissions to the process.
        os.umask(0o077)
        source.state.create()
    configured = _Configured(source, arguments)
    conf = configured.conf
    log_early()
    read_entry_points()
    run_in_child(lambda: _validate(conf))
    endpoint = local_endpoint(conf.server.bind, conf.server.tls_certificate is not None)
    master = os.getpid()
    reading, writing = _wakeup_pipe()
    work = (lambda: _run_worker(configured, reading, master)) if conf.server.worker else None
    with _prepared(source, conf, endpoint) as metrics:
        return run(
            _settings(conf),
            lambda: _make_application(configured, writing),
            on_ready=lambda: print(*_next_lines(source.state, conf, endpoint), sep="\n", flush=True),
            may_reload=configured.read_again,
            multiproc_dir=str(metrics),
            background_process=work,
        )


class _Configured:
    """The configuration of the service: ``conf`` as it was at the start, ``store_conf`` as it is now."""

    def __init__(self, source: Source, arguments: argparse.Namespace) -> None:
        self._source = source
        self._arguments = arguments
        self.conf = self.store_conf = self.load()

    def load(self) -> cfg.ConfigOpts:
        """Return the configuration that the files and the arguments say now; raises what oslo.config raises."""
        conf = configuration.load(files=self._source.existing_files())
        if self._source.state is not None:
            conf.set_default("access_log", str(self._source.state.access_log), group="server")
        apply_arguments(self._arguments, conf)
        return conf

    def read_again(self) -> bool:
        """Take over the sections of the stores and return True, or log why they cannot be used."""
        try:
            conf = self.load()
            run_in_child(lambda: _rehearse_stores(conf))
        except EXPECTED as error:
            LOG.error("The stores stay as they were: %s", describe(error))
            return False
        self.store_conf = conf
        return True


@contextlib.contextmanager
def _prepared(source: Source, conf: cfg.ConfigOpts, endpoint: str) -> Iterator[Path]:
    """Prepare the tables and the state directory of the service; yield the directory for metrics."""
    database = sqlite_file(conf.database.connection) if has_database(conf) else None
    modules = (*_MODULES, _DATA_MODULES[has_database(conf)])
    if source.state is None:
        with tempfile.TemporaryDirectory(prefix="glance-mini-metrics-") as directory, imported(modules, directory):
            run_in_child(lambda: _rehearse(conf, None))
            with _database_locked(database):
                yield Path(directory)
        return
    state = source.state
    with state.lock(), _database_locked(database):
        region = conf.identity.region if serves_identity(conf) else None
        by_token = authentication(conf) in _FLAVORS_OF_CLOUD
        state.prepare_clients(endpoint, conf.server.tls_certificate, region, by_token=by_token)
        with imported(modules, str(state.metrics)):
            run_in_child(lambda: _rehearse(conf, state))
            state.note_path()
            yield state.metrics


def _database_locked(database: Path | None) -> contextlib.AbstractContextManager[None]:
    # A database that cannot be made is named by the first use of it.
    if database is not None and (database.is_file() or (database.parent.is_dir() and not database.exists())):
        return lock_database(database)
    return contextlib.nullcontext()


def _validate(conf: cfg.ConfigOpts) -> None:
    from glance_mini.conf.validation import validate_start

    validate_start(conf)


def _rehearse(conf: cfg.ConfigOpts, state: StateDirectory | None) -> None:
    """Prepare the tables and make all parts of the service once, so that each error is reported once."""
    from glance_mini.bootstrap import rehearse
    from glance_mini.cmd.manage_metadefs import load_default_set

    if has_database(conf):
        _prepare_tables(conf, state)
    rehearse(conf, load_default_set if state is not None and has_database(conf) else None)


def _prepare_tables(conf: cfg.ConfigOpts, state: StateDirectory | None) -> None:
    from glance_mini.cmd.manage_database import migrate, relocate, require_tables

    if state is None:
        require_tables(conf)
    else:
        migrate(conf)
        if state.former_path not in (None, str(state.path)):
            relocate(conf, state.former_path, str(state.path))


def _rehearse_stores(conf: cfg.ConfigOpts) -> None:
    from glance_mini.bootstrap import open_stores

    _validate(conf)
    open_stores(conf).close()


def _settings(conf: cfg.ConfigOpts) -> ServerSettings:
    server = conf.server
    return ServerSettings(
        bind=(server.bind,),
        workers=server.workers,
        threads=server.threads,
        keepalive=server.keepalive,
        io_timeout=server.io_timeout,
        minimum_rate=server.minimum_rate,
        rate_window=server.rate_window,
        streamed=TRANSFERS,
        small_body=server.max_json_body,
        body_timeout=server.body_timeout,
        answer_timeout=server.answer_timeout,
        waiting_bytes=server.max_waiting_bytes,
        graceful_timeout=server.graceful_timeout,
        open_files=_FILES + 4 * server.threads + conf.events.max_listeners,
        tls_certificate=server.tls_certificate,
        tls_key=server.tls_key,
    )


def _next_lines(state: StateDirectory | None, conf: cfg.ConfigOpts, endpoint: str) -> list[str]:
    """Return what a user may do next; the last line names the address."""
    address = f"The service answers at {endpoint}"
    has_token = authentication(conf) in _FLAVORS_OF_CLOUD
    has_login = serves_identity(conf)
    if state is None or not (has_token or has_login):
        return [address]
    login = f"To log in as with Keystone: . {shlex.quote(str(state.openrc_file))}"
    if has_token:
        login += f" (without a log-in: . {shlex.quote(str(state.token_openrc_file))})"
    return [
        f"To let clients find it: export OS_CLIENT_CONFIG_FILE={shlex.quote(str(state.clouds_file))}",
        f"To try it: openstack --os-cloud {CLOUD if has_token else LOGIN_CLOUD} image list",
        *([login] if has_login else []),
        address,
    ]


def _wakeup_pipe() -> tuple[int, int]:
    """Return the ends of the pipe with which the processes of the service wake its worker; writing never blocks."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    return reading, writing


def _run_worker(configured: _Configured, pipe: int, master: int) -> int:
    from glance_mini.cmd.worker import run_worker

    try:
        return run_worker(
            configured.conf, configured.load, pipe, master, (signal.SIGTERM,), store_conf=configured.store_conf
        )
    except EXPECTED as error:
        print_error(PROGRAM, error)
        return CANNOT_BUILD


def _make_application(configured: _Configured, pipe: int) -> WSGIApplication:
    conf = configured.conf
    log_as_configured(conf)
    from glance_mini.bootstrap import load_application
    from glance_mini.cmd.access_log import open_access_log

    try:
        application = load_application(conf, pipe, configured.store_conf)
        application.log_request = open_access_log(conf)
        reader = StoreReader(application.stores, configured.load)
        reader.start()
        application.read_again = reader.ask
        return application
    except EXPECTED as error:
        print_error(PROGRAM, error)
        raise SystemExit(CANNOT_BUILD) from error
