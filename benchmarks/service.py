"""Starts the service as an operator would, on a database and a store of its own, and stops it."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url

from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.standalone.users import User, Users, change_users

_PROJECT = "bench"

TRUSTING = ssl.create_default_context()
"""The context of clients; the services here are on this machine, and nobody signs their certificates."""
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE

_CONFIGURATION = """
[DEFAULT]
node_staging_uri = file://{folder}/staging
{backends}
{database}
[paste_deploy]
flavor = token
[authentication]
users_file = {folder}/users.json
[server]
bind = 127.0.0.1:{port}
workers = {workers}
{tls}
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

    ``ready_seconds`` is the time from its start to its first answer, ``other_token`` of a member of another project.
    """

    url: str
    token: str
    project: str
    pid: int
    folder: Path
    ready_seconds: float
    other_token: str


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
    connection: str | None,
    workers: int = 2,
    stores: Sequence[str] = (),
    sections: str = "",
    tls: tuple[str, str] | None = None,
) -> Iterator[Service]:
    """Yield the service on the database ``connection``, started by ``glance-mini serve`` and stopped afterwards.

    Without a ``connection``, ``sections`` says how it reaches the data.

    ``stores`` are the ids of file stores, or have the form id:driver and a section in ``sections``; if empty, there is
    one store without an id. ``sections`` is further text of the configuration file, ``tls`` the files of certificate
    and key; without it the service speaks plain HTTP.
    """
    with tempfile.TemporaryDirectory() as name:
        home, port, token = Path(name), free_port(), uuid4().hex
        other = uuid4().hex
        user = User("bench").with_role(_PROJECT, ("member",)).with_token(token, _PROJECT)
        another = User("other").with_role("other", ("member",)).with_token(other, "other")
        for each in (user, another):
            change_users(home / "users.json", partial(_add, each))
        configuration = home / "glance-mini.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                database=f"[database]\nconnection = {connection}" if connection else "",
                folder=home,
                port=port,
                workers=workers,
                tls="tls_certificate = {}\ntls_key = {}".format(*tls) if tls else "",
                backends=f"enabled_backends = {','.join(map(_backend, stores))}" if stores else "",
                sections=_store_sections(stores, home) + sections,
            )
        )
        if connection:
            subprocess.run([*_command("manage"), "db", "sync", "--config-file", configuration], check=True)
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [*_command("main"), "serve", "--config-file", configuration], stdout=log, stderr=log
            )
        try:
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            ready_seconds = wait_until_ready(url, process)
            yield Service(url, token, _PROJECT, process.pid, home, ready_seconds, other)
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
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthcheck", timeout=5, context=TRUSTING):
            return time.perf_counter() - begin
        time.sleep(0.01)
    raise RuntimeError("the service does not answer")


def _add(user: User, users: Users) -> Users:
    return users.add(user)


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_certificate(folder: Path) -> tuple[str, str]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key, into ``folder``; return their names."""
    names = str(folder / "certificate.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    subprocess.run([*command.split(), "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
    return names


def _store_sections(stores: Sequence[str], home: Path) -> str:
    if not stores:
        return _ONE_STORE.format(folder=home)
    sections = [f"[{store}]\nfilesystem_store_datadir = {home}/{store}\n" for store in stores if ":" not in store]
    return f"[glance_store]\ndefault_backend = {stores[0].partition(':')[0]}\n" + "".join(sections)


def _backend(store: str) -> str:
    return store if ":" in store else f"{store}:file"


def _command(module: str) -> list[str]:
    return [sys.executable, "-m", f"glance_mini.cmd.{module}"]
