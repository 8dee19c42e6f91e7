"""Registries as processes, their certificates, and services that reach their data through them."""

import os
import select
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import fixtures
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from glance_mini.db.remote import RegistryAccess, RegistrySettings
from glance_mini.operations.base import Role
from glance_mini.registry.authority import Authority
from tests.functional.service import START_SECONDS, STOP_SECONDS
from tests.ports import free_port
from tests.programs import start

ROOT = Path(__file__).parents[2]
REGISTRY, NODE, READER, MIGRATOR, EVERY, REVOKED = "registry", "node", "reader", "migrator", "every", "revoked"
ROLES = {
    NODE: (Role.API, Role.WORKER),
    READER: (Role.READONLY,),
    MIGRATOR: (Role.MIGRATE,),
    EVERY: tuple(Role),
    REVOKED: (Role.API,),
}


@cache
def _folder():
    return TemporaryDirectory(prefix="glance-mini-tls-")


@cache
def certificates():
    """Return a directory with the certificates of a registry on this machine and of nodes of each role."""
    path = Path(_folder().name)
    authority = Authority(path)
    authority.issue(REGISTRY, (), ("localhost", "127.0.0.1"))
    for name, roles in ROLES.items():
        authority.issue(name, roles)
    return path


def write_revocations(path, *nodes):
    """Write a list of the authority in which the certificates of ``nodes`` are revoked."""
    folder, now = certificates(), datetime.now(UTC)
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
    made = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
    made = made.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=1))
    for node in nodes:
        number = x509.load_pem_x509_certificate((folder / f"{node}.pem").read_bytes()).serial_number
        revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now)
        made = made.add_revoked_certificate(revoked.build())
    new = path.with_suffix(".new")
    new.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    new.replace(path)


def server_options(folder=None):
    """Return the options of [registry_service] for the certificates in ``folder``."""
    folder = folder or certificates()
    return {
        "certificate": folder / f"{REGISTRY}.pem",
        "key": folder / f"{REGISTRY}-key.pem",
        "client_ca": folder / "ca.pem",
    }


def node_options(*ports, node=NODE, folder=None, **options):
    """Return the options by group of a node that uses the registries at ``ports``."""
    folder = folder or certificates()
    return {
        "database": {"data_access": "registry"},
        "registry": {
            "endpoints": ",".join(f"https://localhost:{port}" for port in ports),
            "certificate": folder / f"{node}.pem",
            "key": folder / f"{node}-key.pem",
            "ca_file": folder / "ca.pem",
            **options,
        },
    }


def access(*ports, node=NODE, stores_events=False, folder=None, **settings):
    """Return the data access of a node through the registries at ``ports``."""
    options = node_options(*ports, node=node, folder=folder)["registry"]
    made = RegistrySettings(
        endpoints=tuple(options["endpoints"].split(",")),
        certificate=str(options["certificate"]),
        key=str(options["key"]),
        ca_file=str(options["ca_file"]),
        **settings,
    )
    return RegistryAccess(made, stores_events)


class RegistryProcess(fixtures.Fixture):
    """A registry as a process of its own, at ``port``; ``log`` is the file of its messages."""

    def __init__(self, port=None):
        super().__init__()
        self.port = port or free_port()

    def _setUp(self):
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.folder / "log"
        self.addCleanup(self.stop, signal.SIGKILL)
        self.start()

    def words(self):
        """Return the words after ``python -m``."""
        raise NotImplementedError

    def start(self):
        """Start the process and wait until it answers."""
        with open(self.log, "ab") as log:
            self.process = start(*self.words(), stdout=subprocess.PIPE, stderr=log, cwd=ROOT, start_new_session=True)
        is_readable = select.select([self.process.stdout], [], [], START_SECONDS)[0]
        # It may write the line in pieces, and the pipe must take all of them.
        if not is_readable or not self.process.stdout.readline():
            raise AssertionError(f"the registry did not start: {self.log.read_text()}")

    def stop(self, number=signal.SIGTERM):
        """Send a signal to all processes of the registry, and wait for the end of the first if it is one to end it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
            if number in (signal.SIGTERM, signal.SIGKILL):
                self.process.wait(STOP_SECONDS)
                self.process.stdout.close()

    def get(self, path, node=NODE):
        """Return the answer to a request of a node."""
        folder = certificates()
        pair = (str(folder / f"{node}.pem"), str(folder / f"{node}-key.pem"))
        url = f"https://localhost:{self.port}{path}"
        return requests.get(url, cert=pair, verify=str(folder / "ca.pem"), timeout=30)


class Registry(RegistryProcess):
    """``glance-mini-registry serve`` on the database ``connection``; ``options`` are further ones by group and name."""

    def __init__(self, connection, port=None, **options):
        super().__init__(port)
        self._connection = connection
        self._options = options

    def words(self):
        """Return the words after ``python -m``."""
        groups = {
            "database": {"connection": self._connection},
            "registry_service": {"bind": f"127.0.0.1:{self.port}", "workers": 1, **server_options()},
        }
        for group, values in self._options.items():
            groups.setdefault(group, {}).update(values)
        path = self.folder / "registry.conf"
        path.write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
                for group, values in groups.items()
            )
        )
        return "glance_mini.cmd.registry", "serve", "--config-file", path


class EmptiedRegistry(RegistryProcess):
    """A registry whose database changes while it runs, and which lets callers set the time."""

    def words(self):
        """Return the words after ``python -m``."""
        return "tests.functional.served_registry", self.port, certificates()

    def empty(self, rules="service", connection="sqlite://"):
        """Give the registry another database, with tables, and event rules: a name in ``served_registry.RULES``."""
        answer = self.get(f"/empty?rules={rules}&connection={quote(connection)}")
        if answer.status_code != 200:
            raise AssertionError(answer.text)


def wait_for(is_so, what, seconds=30):
    """Wait until ``is_so`` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > deadline:
            raise AssertionError(what)
        time.sleep(0.05)
    return found
