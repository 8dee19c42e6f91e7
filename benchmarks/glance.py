"""Starts Glance beside the service, to measure the same requests on both: two processes, a file store, no Keystone."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.engine import make_url

from benchmarks import seed
from benchmarks.service import Service, database, free_port, wait_until_ready
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.migration import glance_tables

_PROJECT = "bench"

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = file:file
user_storage_quota = 10TB
[database]
connection = {connection}
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = {folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[paste_deploy]
flavor = headers
config_file = {folder}/paste.ini
"""

PASTE = """\
[composite:glance-api-headers]
paste.composite_factory = glance.api:root_app_factory
/: api
/healthcheck: healthcheck
[app:healthcheck]
paste.app_factory = oslo_middleware:Healthcheck.app_factory
[composite:api]
paste.composite_factory = glance.api:pipeline_factory
headers = versionnegotiation context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
"""
"""The API alone, for a caller whom the headers of Keystone's middleware name."""

_APPLICATION = """\
from glance.wsgi.api import application as glance


def application(environ, start_response):
    environ["HTTP_X_IDENTITY_STATUS"] = "Confirmed"
    environ["HTTP_X_ROLES"] = "member,reader"
    environ["HTTP_X_USER_ID"] = "bench"
    environ["HTTP_X_PROJECT_ID"] = "{project}"
    return glance(environ, start_response)
"""
"""Says who the caller is, as Keystone's middleware would, but at no cost."""


@contextlib.contextmanager
def started(
    python: Path,
    server: str,
    images: int,
    workers: int = 2,
    threads: int = 8,
    prepare: Callable[[Sequence[str | Path]], object] = lambda manage: None,
) -> Iterator[Service]:
    """Yield Glance, served by gunicorn, with ``images`` images in a new database on ``server``; stop it afterwards.

    ``prepare`` gets the words of the command ``glance-manage`` for this database, once it has its tables.
    The environment of ``python`` must have the packages glance, gunicorn and psycopg2.
    """
    with tempfile.TemporaryDirectory() as name, database(server) as connection:
        folder, port = Path(name), free_port()
        url = make_url(connection).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
        configuration = folder / "glance-api.conf"
        configuration.write_text(_CONFIGURATION.format(connection=url, folder=folder))
        (folder / "paste.ini").write_text(PASTE)
        (folder / "application.py").write_text(_APPLICATION.format(project=_PROJECT))
        programs, log = python.parent, folder / "log"
        manage = [programs / "glance-manage", "--config-file", configuration]
        subprocess.run([*manage, "db_sync"], check=True, capture_output=True)
        prepare(manage)
        _seed(connection, images)
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [
                    *(programs / "gunicorn", "application:application", "--bind", f"127.0.0.1:{port}"),
                    *("--workers", str(workers), "--threads", str(threads), "--timeout", "300", "--keep-alive", "60"),
                ],
                cwd=folder,
                env={**os.environ, "OS_GLANCE_CONFIG_DIR": name, "OS_GLANCE_CONFIG_FILES": configuration.name},
                stdout=stream,
                stderr=stream,
            )
        try:
            address = f"http://127.0.0.1:{port}"
            ready_seconds = wait_until_ready(address, process, 90)
            yield Service(address, "none", _PROJECT, process.pid, folder, ready_seconds, "none")
        finally:
            process.terminate()
            process.wait(60)


_PART = {"created_at": seed.BEGIN, "updated_at": seed.BEGIN, "deleted": False}
_IMAGE = {"deleted": False, "protected": False, "os_hidden": False, "min_disk": 0, "min_ram": 0}
_ALWAYS = {"images": _IMAGE, "image_properties": _PART, "image_tags": _PART, "image_locations": _PART}


def _seed(connection: str, count: int) -> None:
    """Insert the images of ``seed.seed`` into the tables of Glance."""
    engine = make_engine(connection)
    with engine.connect() as open_connection:
        open_connection.exec_driver_sql("BEGIN")
        for first in range(0, count, seed.BATCH):
            for table, rows in seed.rows(range(first, min(first + seed.BATCH, count)), _PROJECT):
                target = glance_tables.metadata.tables[table.name]
                names = [column.name for column in target.c if column.name in rows[0]]
                values = [_ALWAYS[table.name] | {name: row[name] for name in names} for row in rows]
                open_connection.execute(insert(target), values)
        open_connection.exec_driver_sql("COMMIT")
        open_connection.exec_driver_sql("ANALYZE")
    engine.dispose()
