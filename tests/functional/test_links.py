"""Links of the real service, as browsers and tools without headers use them, with each kind of authentication."""

import shutil
import subprocess
import time

import requests

from glance_mini.standalone.users import change_users
from tests.functional.test_clients import CONTENT, ClientTestCase
from tests.http_server.running import eventually


class LinksTest(ClientTestCase):
    def made(self, url, seconds=300, **identity):
        """Return the link to a new image with ``CONTENT``."""
        body = {"disk_format": "raw", "container_format": "bare"}
        image = requests.post(f"{url}/v2/images", json=body, timeout=30, **identity).json()["id"]
        identity = {**identity, "headers": {**identity.get("headers", {}), "Content-Type": "application/octet-stream"}}
        answer = requests.put(f"{url}/v2/images/{image}/file", data=CONTENT, timeout=30, **identity)
        self.assertEqual(204, answer.status_code, answer.text)
        identity["headers"]["Content-Type"] = "application/json"
        link = {"expires_in": seconds}
        answer = requests.post(f"{url}/v2/images/{image}/links", json=link, timeout=30, **identity)
        self.assertEqual(201, answer.status_code, answer.text)
        return answer.json()["url"]

    def assert_serves(self, link):
        """A whole download, the rest of a broken one and the head are answered without credentials."""
        answer = requests.get(link, timeout=30)
        self.assertEqual((200, CONTENT), (answer.status_code, answer.content))
        rest = requests.get(link, headers={"Range": "bytes=100000-", "If-Range": answer.headers["ETag"]}, timeout=30)
        self.assertEqual((206, CONTENT[100_000:]), (rest.status_code, rest.content))
        self.assertEqual(str(len(CONTENT)), requests.head(link, timeout=30).headers["Content-Length"])
        self.assertEqual(404, requests.get(link[:-1], timeout=30).status_code)

    def test_by_token_and_no_log_has_the_secret(self):
        service = self.start()
        link = self.made(service.cloud["image_endpoint_override"], headers={"X-Auth-Token": service.token})
        self.assert_serves(link)
        log = self.state.path / "access.log"
        eventually(lambda: log.read_text().count("download_by_link") >= 2, "the downloads are logged")
        secret = link.rpartition("/")[2]
        for text in (log.read_text(), service.log.read_text()):
            self.assertNotIn(secret[:-1], text)
        self.assertIn(" GET /v2/links/- download_by_link 200 ", log.read_text())

    def test_by_password_and_it_dies_with_the_user(self):
        service, _ = self.start_with_password()
        link = self.made(service.lines[-1], auth=("ann", "correct horse"))
        self.assert_serves(link)
        change_users(self.state.users_file, lambda users: users.remove("ann"))
        eventually(lambda: requests.get(link, timeout=30).status_code == 404, "the link is dead")

    def test_without_authentication(self):
        self.state.create()
        config = self.state.config_file
        config.write_text(config.read_text().replace("flavor = token", "flavor = none"))
        self.assert_serves(self.made(self.start().lines[-1]))

    def test_curl_continues_a_broken_download(self):
        if shutil.which("curl") is None:
            self.skipTest("there is no curl")
        service = self.start()
        link = self.made(service.cloud["image_endpoint_override"], headers={"X-Auth-Token": service.token})
        self.saved.write_bytes(CONTENT[:123_456])
        command = ["curl", "--silent", "--show-error", "--fail", "--continue-at", "-", "--output", self.saved, link]
        subprocess.run(command, check=True, timeout=60)
        self.assertEqual(CONTENT, self.saved.read_bytes())

    def test_it_ends_at_its_time(self):
        service = self.start()
        link = self.made(service.cloud["image_endpoint_override"], 2, headers={"X-Auth-Token": service.token})
        self.assertEqual(200, requests.get(link, timeout=30).status_code)
        time.sleep(2.1)
        self.assertEqual(404, requests.get(link, timeout=30).status_code)
