"""Commands of an operator take effect on a service that is running."""

import json
import time

from tests import programs
from tests.functional.test_clients import CONTENT, ClientTestCase

DEADLINE = 60.0


class ManageTest(ClientTestCase):
    def manage(self, *words):
        """Return what ``glance-mini-manage`` printed."""
        done = programs.run("glance_mini.cmd.manage", *words, "--state", self.state.path, timeout=DEADLINE)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def status_of_an_upload(self, service):
        return service.upload(service.create_image(), CONTENT).status_code

    def test_limit_of_a_project_is_respected_without_a_restart(self):
        service = self.start()
        self.assertEqual(204, self.status_of_an_upload(service))
        self.manage("quota", "set", "--project", "admin", f"image_size_total={len(CONTENT)}")
        deadline = time.monotonic() + DEADLINE
        while (status := self.status_of_an_upload(service)) != 413:
            self.assertEqual((204, True), (status, time.monotonic() < deadline))
            time.sleep(0.5)
        usage = service.request("GET", "/v2/info/usage").json()["usage"]
        self.assertEqual(0, usage["image_size_total"]["limit"])

    def test_last_use_of_a_token_is_shown_and_the_users_file_stays_as_it_is(self):
        service = self.start()
        before = self.state.users_file.read_bytes()
        [token] = json.loads(self.manage("user", "show", "admin", "--format", "json"))["tokens"]
        self.assertIsNone(token["last_used"])
        self.assertEqual(200, service.request("GET", "/v2/images").status_code)
        service.stop()
        [token] = json.loads(self.manage("user", "show", "admin", "--format", "json"))["tokens"]
        self.assertIsNotNone(token["last_used"])
        self.assertEqual(before, self.state.users_file.read_bytes())

    def test_token_that_was_removed_ends_at_once(self):
        service = self.start()
        token = self.manage("user", "add", "ann", "--role", "admin", "--token-name", "ci").strip()
        self.manage("user", "add", "ann", "--role", "admin", "--token-name", "other")
        headers = {"X-Auth-Token": token}
        self.assertEqual(200, service.request("GET", "/v2/images", headers=headers).status_code)
        self.manage("user", "remove", "ann", "--token", "ci", "--yes")
        self.assertEqual(401, service.request("GET", "/v2/images", headers=headers).status_code)
