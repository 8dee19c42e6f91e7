"""The access log and the service log of the real service: what is in them, and what never is."""

import json

import fixtures
import requests
import testtools

from glance_mini.standalone.state import StateDirectory
from tests.functional.faults import SharedService, make_state, start_service
from tests.functional.service import Service
from tests.http_server.running import eventually

MIB = 1024 * 1024
NO_BROKER = {
    "DEFAULT": {"transport_url": "rabbit://guest:broker-secret@127.0.0.1:9/"},
    "oslo_messaging_notifications": {"driver": "messagingv2"},
}
NO_KEYSTONE = {
    "keystone_authtoken": {
        "auth_url": "http://127.0.0.1:9",
        "auth_type": "password",
        "username": "glance",
        "password": "keystone-secret",
    }
}


class AccessLogTest(testtools.TestCase):
    def lines(self, service, count):
        path = service.state / "access.log"
        eventually(lambda: path.exists() and len(path.read_text().splitlines()) >= count, f"{count} lines are there")
        return path.read_text().splitlines()

    def test_state_directory_has_one_and_each_request_one_line(self):
        service = start_service(self, words=["--no-worker"])
        image = service.create_image()
        service.upload(image, iter([b"x" * MIB]))
        self.lines(service, 2)
        answer = service.request("GET", f"/v2/images/{image}/file?token=query-secret")
        # A client may have an answer before the line of it is there.
        self.lines(service, 3)
        requests.get(f"{service.lines[-1]}/v2/images", headers={"X-Auth-Token": "wrong-secret"}, timeout=10)
        lines = [line.split(" ") for line in self.lines(service, 4)]
        path = f"/v2/images/{image}/file"
        self.assertEqual(
            [
                ["admin", "admin", "POST", "/v2/images", "create_image", "201"],
                ["admin", "admin", "PUT", path, "upload_data", "204", str(MIB), "0"],
                ["admin", "admin", "GET", path, "download_data", "200", "0", str(MIB)],
                ["-", "-", "GET", "/v2/images", "-", "401"],
            ],
            [line[2 : 2 + length] for line, length in zip(lines, (6, 8, 8, 6), strict=True)],
        )
        self.assertEqual(answer.headers["X-Openstack-Request-Id"], lines[2][-1])
        text = (service.state / "access.log").read_text()
        for secret in (service.token, "query-secret", "wrong-secret"):
            self.assertNotIn(secret, text)

    def test_json_by_option_and_bounded_size(self):
        options = {"server": {"access_log_format": "json", "access_log_size": 4096}}
        service = start_service(self, options, words=["--no-worker", "--workers", "2"])
        for _ in range(60):
            service.request("GET", "/v2/images")
        old = service.state / "access.log.1"
        eventually(old.exists, "the log was rotated")
        for path in (old, service.state / "access.log"):
            self.assertLess(path.stat().st_size, 4096 + 1024)
            for line in path.read_text().splitlines():
                self.assertEqual("list_images", json.loads(line)["operation"])

    def test_empty_option_switches_it_off_and_the_service_log_has_a_bound_of_its_own(self):
        service = start_service(self, {"server": {"access_log": ""}}, words=["--no-worker"])

        def is_limited():
            for _ in range(150):
                service.request("GET", "/v2/images", headers={"X-Auth-Token": "wrong"})
            return "Logging rate limit" in service.log.read_text()

        eventually(is_limited, "lines were dropped")
        self.assertFalse((service.state / "access.log").exists())


class ServiceLogTest(SharedService, testtools.TestCase):
    words = ()

    def assert_logged(self, *parts):
        """A line with all ``parts`` comes into the log."""
        eventually(
            lambda: any(all(part in line for part in parts) for line in self.service.log.read_text().splitlines()),
            f"the log has a line with {parts}",
        )

    def test_refused_login_leaves_a_line_and_a_request_without_a_token_none(self):
        url = f"{self.service.lines[-1]}/v2/images"
        before = self.service.log.read_text().count("A login")
        requests.get(url, timeout=10)
        requests.get(url, headers={"X-Auth-Token": "wrong-secret"}, timeout=10)
        self.assert_logged("WARNING", "A login from 127.0.0.1 was refused")
        log = self.service.log.read_text()
        self.assertEqual(before + 1, log.count("A login"))
        self.assertNotIn("wrong-secret", log)

    def test_refused_import_leaves_a_line_without_its_credentials(self):
        image = self.service.create_image()
        for uri in ("http://ann:pw-secret@127.0.0.1/disk", "http://127.0.0.1/disk?sig=query-secret"):
            body = {"method": {"name": "web-download", "uri": uri}}
            answer = self.service.request("POST", f"/v2/images/{image}/import", json=body)
            self.assertEqual(400, answer.status_code)
        self.assert_logged("WARNING", f"/v2/images/{image}/import was refused")
        self.assertNotIn("secret", self.service.log.read_text())

    def test_full_store_leaves_a_line(self):
        image = self.service.create_image()
        client = self.upload(image, f"Content-Length: {2**40}", "Expect: 100-continue")
        self.assertEqual(413, client.response().status)
        self.assert_logged("WARNING", "Answering 413", "images")

    def test_image_that_is_deleted_during_its_import_leaves_no_error(self):
        images = [self.service.create_image() for _ in range(4)]
        for image in images:
            headers = {"Content-Type": "application/octet-stream"}
            self.service.request("PUT", f"/v2/images/{image}/stage", data=b"z" * 4 * MIB, headers=headers)
        for image in images:
            body = {"method": {"name": "glance-direct"}}
            self.assertEqual(202, self.service.request("POST", f"/v2/images/{image}/import", json=body).status_code)
            self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{image}").status_code)
        # What is imported after them comes after them.
        last = self.service.create_image()
        headers = {"Content-Type": "application/octet-stream"}
        self.service.request("PUT", f"/v2/images/{last}/stage", data=b"z", headers=headers)
        self.service.request("POST", f"/v2/images/{last}/import", json={"method": {"name": "glance-direct"}})
        eventually(
            lambda: self.service.request("GET", f"/v2/images/{last}").json()["status"] == "active", "it was imported"
        )
        self.assertNotIn(" ERROR ", self.service.log.read_text())


class ForeignWarningsTest(testtools.TestCase):
    def log_of(self, options, flavor="token"):
        state = StateDirectory(make_state(self.useFixture(fixtures.TempDir()).join("state"), options))
        state.config_file.write_text(state.config_file.read_text().replace("flavor = token", f"flavor = {flavor}"))
        lines = 1 if flavor == "keystone" else 4
        service = self.useFixture(Service(state.path, lines=lines, fresh=True))
        requests.get(f"{service.lines[-1]}/v2/images", headers={"X-Auth-Token": "wrong"}, timeout=30)
        service.stop()
        return service.log.read_text()

    def test_libraries_warn_nobody_of_their_plans(self):
        for log in (self.log_of(NO_BROKER), self.log_of(NO_KEYSTONE, "keystone")):
            self.assertNotIn("deprecated", log.lower())
            self.assertNotIn("secret", log)
