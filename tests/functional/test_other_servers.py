"""``glance_mini.wsgi:application`` behind a WSGI server that is not ours: the one of the standard library."""

import os
import subprocess
import sys
from pathlib import Path

import fixtures
import requests
import testtools

from glance_mini import conf as configuration
from glance_mini.cmd.manage_database import migrate
from glance_mini.standalone.clouds import read_token
from glance_mini.standalone.state import StateDirectory

SERVER = """
from wsgiref.simple_server import make_server
from glance_mini.wsgi import application
server = make_server("127.0.0.1", 0, application)
print(server.server_port, flush=True)
server.serve_forever()
"""
CONTENT = os.urandom(300_000)


class OtherServerTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        root = self.useFixture(fixtures.TempDir()).path
        state = StateDirectory(Path(root) / "glance-mini")
        state.create()
        state.prepare_clients("http://127.0.0.1:9292", None)
        migrate(configuration.load(files=[state.config_file]))
        self.token = read_token(state.clouds_file)
        self.url = f"http://127.0.0.1:{self._start({**os.environ, 'XDG_STATE_HOME': root})}"

    def _start(self, environ):
        words = [sys.executable, "-c", SERVER]
        where = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(words, env=environ, text=True, **where)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return int(server.stdout.readline())

    def ask(self, method, path, **arguments):
        """Return the answer to a request with the administrator's token."""
        headers = {"X-Auth-Token": self.token, **arguments.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **arguments)

    def test_image_is_made_uploaded_downloaded_and_deleted(self):
        image = self.ask("POST", "/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()
        binary = {"Content-Type": "application/octet-stream"}
        chunked = self.ask("PUT", image["file"], data=iter([CONTENT]), headers=binary)
        self.assertEqual(411, chunked.status_code, "this server does not end such a body")
        self.assertEqual(204, self.ask("PUT", image["file"], data=CONTENT, headers=binary).status_code)
        self.assertEqual(CONTENT, self.ask("GET", image["file"]).content)
        part = self.ask("GET", image["file"], headers={"Range": "bytes=10-19"})
        self.assertEqual((206, CONTENT[10:20]), (part.status_code, part.content))
        self.assertEqual(204, self.ask("DELETE", image["self"]).status_code)

    def test_stranger_is_refused_and_may_see_versions_and_health(self):
        paths = ("/", "/versions", "/healthcheck", "/openapi.json", "/v2/images")
        answers = [requests.get(self.url + path, timeout=30).status_code for path in paths]
        self.assertEqual([300, 200, 200, 200, 401], answers)
