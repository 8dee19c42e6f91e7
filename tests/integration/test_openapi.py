"""No call that schemathesis makes up from the service's own OpenAPI document is answered with 5xx."""

import os
import subprocess
import sysconfig
from pathlib import Path

import requests
import testtools

from tests.integration.served import Served

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
SECONDS = 300
USERS = {"root": ("lab", "admin"), "alice": ("lab", "member")}


class OpenAPITest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.service = self.useFixture(Served("[DEFAULT]\nshow_multiple_locations = true\n", users=USERS))

    def test_no_call_of_an_administrator_fails_the_server(self):
        self.attack("root")

    def test_no_call_of_an_administrator_on_an_image_that_exists_fails_the_server(self):
        self._know_a_shared_image()
        self.attack("root", "--exclude-method", "DELETE")

    def test_no_call_of_a_member_on_an_image_that_exists_fails_the_server(self):
        self._know_a_shared_image()
        self.attack("alice", "--exclude-method", "DELETE")

    def attack(self, user, *words):
        """Run schemathesis on the whole document and demand that it finds nothing."""
        line = [
            os.path.join(sysconfig.get_path("scripts"), "schemathesis"),
            *("run", f"{self.service.url}/openapi.json"),
            *("--header", f"X-Auth-Token: {self.service.tokens[user]}"),
            *("--checks", "not_a_server_error"),
            *("--suppress-health-check", "all"),
            *("--request-timeout", "30"),
            *("--max-examples", "30"),
            *("--generation-deterministic", "--continue-on-failure", "--no-color"),
            *words,
        ]
        where = {"cwd": self.service.root, "env": {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}}
        done = subprocess.run(line, **where, capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual(0, done.returncode, f"{done.stdout}\n{done.stderr}\n{self.service.log.read_text()}")
        self.assertNotIn("Traceback", self.service.log.read_text())

    def _know_a_shared_image(self):
        """Make an image with data and a member, and let every call be about it."""
        image = self._ask("POST", "/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()
        self._ask("PUT", image["file"], data=b"content", headers={"Content-Type": "application/octet-stream"})
        self._ask("POST", f"/v2/images/{image['id']}/members", json={"member": "other"})
        parameters = f'"path.image_id" = "{image["id"]}"\n"path.member_id" = "other"\n'
        (self.service.root / "schemathesis.toml").write_text(f"[parameters]\n{parameters}")

    def _ask(self, method, path, **arguments):
        headers = {"X-Auth-Token": self.service.tokens["alice"], **arguments.pop("headers", {})}
        answer = requests.request(method, self.service.url + path, headers=headers, timeout=30, **arguments)
        self.assertLess(answer.status_code, 300, answer.text)
        return answer
