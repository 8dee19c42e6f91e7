"""Starts the service as an operator would, on a database and a store of its own, and stops it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url

from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.standalone.users import User, change_users

_PROJECT = "bench"

_CONFIGURATION = """
[DEFAULT]
node_staging_uri = file://{folder}/staging
{backends}
[database]
connection = {connection}
[paste_deploy]
flavor = token
[authentication]
users_file = {folder}/users.json
[server]
bind = 127.0.0.1:{port}
workers = {workers}
[task]
work_dir = {folder}/work
{sections}
"""

_ONE_STORE = """\
[glance_store]
stores = file,http
default_store = file
filesystem_store_datadir = {folder}/images
"""


@dataclass(frozen=True)
class Service:
    """A running service: its URL, a token of a plain member of ``project``, its top process, its folder.

    ``ready_seconds`` is the time from its start to its first answer.
    """

    url: str
    token: str
    project: str
    pid: int
    folder: Path
    ready_seconds: float


@contextlib.contextmanager
def database(server: str) -> Iterator[str]:
    """Yield the URL of a new database on ``server`` (a SQLAlchemy URL) and drop it afterwards; SQLite: ``server``."""
    url = make_url(server)
    if url.get_backend_name() == "sqlite":
        yield server
        return
    name = f"glance_mini_bench_{uuid4().hex[:12]}"
    engine = make_engine(server)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            force = " WITH (FORCE)" if url.get_backend_name() == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {name}{force}"))
        engine.dispose()


@contextlib.contextmanager
def service(
    connection: str, workers: int = 2, stores: Sequence[str] = (), sections: str = ""
) -> Iterator[Service]:
    """Yield the service on the database ``connection``, started by ``glance-mini serve`` and stopped afterwards.

    ``stores`` are the ids of file stores; if empty, there is one store without an id. ``sections`` is further text of
    the configuration file.
    """
    with tempfile.TemporaryDirectory() as name:
        home, port, token = Path(name), _free_port(), uuid4().hex
        user = User("bench").with_role(_PROJECT, ("member",)).with_token(token, _PROJECT)
        change_users(home / "users.json", lambda users: users.add(user))
        configuration = home / "glance-mini.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                connection=connection,
                folder=home,
                port=port,
                workers=workers,
                backends=f"enabled_backends = {','.join(f'{store}:file' for store in stores)}" if stores else "",
                sections=_store_sections(stores, home) + sections,
            )
        )
        subprocess.run([*_command("manage"), "db", "sync", "--config-file", configuration], check=True)
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [*_command("main"), "serve", "--config-file", configuration], stdout=log, stderr=log
            )
        try:
            url = f"http://127.0.0.1:{port}"
            ready_seconds = wait_until_ready(url, process)
            yield Service(url, token, _PROJECT, process.pid, home, ready_seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(90)
            if os.environ.get("KEEP_LOG"):
                shutil.copy(home / "log", os.environ["KEEP_LOG"])


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", seconds: float = 30) -> float:
    """Return the seconds until the service answered; raises RuntimeError if it ended or did not answer."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with code {process.returncode}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthcheck", timeout=5):
            return time.perf_counter() - begin
        time.sleep(0.01)
    raise RuntimeError("the service does not answer")


def _store_sections(stores: Sequence[str], home: Path) -> str:
    if not stores:
        return _ONE_STORE.format(folder=home)
    sections = [f"[{store}]\nfilesystem_store_datadir = {home}/{store}\n" for store in stores]
    return f"[glance_store]\ndefault_backend = {stores[0]}\n" + "".join(sections)


def _command(module: str) -> list[str]:
    return [sys.executable, "-m", f"glance_mini.cmd.{module}"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
