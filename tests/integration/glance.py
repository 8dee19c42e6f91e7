"""A Glance of its own release beside the service: its programs, run on a database and in folders of a test."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import fixtures
from sqlalchemy import make_url

from benchmarks.glance import PASTE
from tests.functional.service import START_SECONDS
from tests.ports import free_port

KEY = "a key of sixteen"

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = fast:file, cheap:file
metadata_encryption_key = {key}
show_multiple_locations = true
show_image_direct_url = true
delayed_delete = true
worker_self_reference_url = http://127.0.0.1:{port}
[database]
connection = {connection}
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {root}/fast
[cheap]
filesystem_store_datadir = {root}/cheap
[os_glance_staging_store]
filesystem_store_datadir = {root}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {root}/tasks
[paste_deploy]
flavor = headers
config_file = {root}/paste.ini
[oslo_policy]
policy_file = {root}/policy.yaml
"""


class Glance(fixtures.Fixture):
    """Glance's programs in the folder ``programs``, on the database at ``connection``; ``sync`` and ``start`` run them.

    ``config_file`` is its glance-api.conf, ``connection`` the URL in it. Files of its stores are below ``root``.
    """

    def __init__(self, programs, connection):
        super().__init__()
        self._programs = Path(programs)
        self.connection = _with_driver(connection)
        self._process = None

    def _setUp(self):
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.port = free_port()
        self.config_file = self.root / "glance-api.conf"
        self.use(self.connection)
        (self.root / "paste.ini").write_text(PASTE)
        (self.root / "policy.yaml").write_text("{}\n")
        (self.root / "application.py").write_text("from glance.wsgi.api import application\n")
        self.log = self.root / "log"
        self.addCleanup(self.stop)

    def use(self, connection):
        """Use the database at ``connection`` from the next start on."""
        self.connection = _with_driver(connection)
        text = _CONFIGURATION.format(key=KEY, port=self.port, root=self.root, connection=self.connection)
        self.config_file.write_text(text)

    def sync(self):
        """Make the tables."""
        self._run("glance-manage", "--config-file", self.config_file, "db_sync")

    def start(self):
        """Start the API and wait for its first answer."""
        environment = {"OS_GLANCE_CONFIG_DIR": str(self.root), "OS_GLANCE_CONFIG_FILES": self.config_file.name}
        command = [self._programs / "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "4"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "application:application"],
                cwd=self.root,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.request("GET", "/v2/images?limit=1")
            except (OSError, AssertionError):
                time.sleep(0.5)
            else:
                return
        raise AssertionError(f"Glance did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self):
        """Stop the API, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def request(self, method, path, body=None, *, project="admin", roles="admin,member,reader", **headers):
        """Return the answer: parsed JSON, else bytes; ``body`` is bytes or becomes JSON. Raises AssertionError."""
        identity = {"X-Identity-Status": "Confirmed", "X-Roles": roles, "X-User-Id": "user", "X-Project-Id": project}
        return call(f"http://127.0.0.1:{self.port}{path}", method, body, identity | headers)

    def _run(self, program, *words):
        done = subprocess.run(
            [self._programs / program, *words], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")


def _with_driver(connection):
    url = make_url(connection)
    drivers = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql"}
    return url.set(drivername=drivers[url.get_backend_name()]).render_as_string(hide_password=False)


def call(url, method, body=None, headers=None):
    """Return the answer of a web server: parsed JSON, else bytes; raises AssertionError for an error."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        patch = "application/openstack-images-v2.1-json-patch"
        headers.setdefault("Content-Type", patch if method == "PATCH" else "application/json")
        body = json.dumps(body).encode()
    elif body is not None:
        headers.setdefault("Content-Type", "application/octet-stream")
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            data = answer.read()
            return json.loads(data) if answer.headers.get_content_type() == "application/json" and data else data
    except HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read()[:500]!r}") from error
