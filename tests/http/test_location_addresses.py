"""Where locations lead, through the whole service: refused when they are added, and at every read after that."""

import socket
from typing import Any

import fixtures

from glance_mini.fetching.uri_filter import UriFilter
from tests.http.working import BODY, WorkingTest, digest
from tests.unit.store.web import Page, WebServer

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"


class Forbidden(fixtures.Fixture):
    """A server at an address that is refused."""

    def _setUp(self) -> None:
        self.server = self.useFixture(WebServer())
        self.server.pages["/secret"] = Page(b"SECRET")

    @property
    def url(self) -> str:
        return self.server.url("/secret")


class AddressesTest(WorkingTest):
    options = {"DEFAULT": {"show_multiple_locations": True}}

    def setUp(self) -> None:
        super().setUp()
        self.forbidden = self.useFixture(Forbidden())

    def post(self, image_id: str, path: str, host: str = "127.0.0.1", **body: Any) -> Any:
        body = {"url": self.web.url(path, host=host), **body}
        return self.send("POST", f"/v2/images/{image_id}/locations", body)

    def patch(self, image_id: str, url: str) -> Any:
        step = {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}
        return self.send("PATCH", f"/v2/images/{image_id}", [step], Content_Type=PATCH_TYPE)

    def assert_unread(self) -> None:
        """Nobody has asked the refused server."""
        self.assertEqual([], self.forbidden.server.asked)

    def assert_refused(self, image_id: str) -> None:
        """The data cannot be read, and what a job learns of it is nothing."""
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        self.assertEqual(400, answer.status_int)
        self.assertNotIn(b"SECRET", answer.body)
        self.work()
        self.assertEqual("failure", self.tasks(image_id)[-1]["status"])
        self.assertIsNone(self.show(image_id)["os_hash_value"])
        self.assert_unread()

    def redirect(self, path: str, target: str) -> None:
        self.web.pages[path] = Page(redirect=target)


class TestRedirects(AddressesTest):
    def test_a_location_that_leads_to_a_refused_address_is_not_added(self) -> None:
        self.redirect("/disk", self.forbidden.url)
        image_id = self.create()
        for answer in (
            self.post(image_id, "/disk"),
            self.post(image_id, "/disk", validation_data={"os_hash_algo": "sha256", "os_hash_value": "ab" * 32}),
            self.patch(image_id, self.web.url("/disk")),
        ):
            self.assertEqual(400, answer.status_int)
            self.assertIn("does not pass filtering", answer.text)
        self.assertEqual("queued", self.status_of(image_id))
        self.assert_unread()

    def test_one_that_begins_to_do_so_later_is_refused_at_every_read(self) -> None:
        image_id = self.create()
        self.assertEqual(202, self.post(image_id, "/disk").status_int)
        self.assertEqual(BODY, self.data(image_id))
        self.redirect("/disk", self.forbidden.url)
        self.assert_refused(image_id)

    def test_one_that_does_so_before_its_hash_is_verified_is_not_added(self) -> None:
        image_id = self.create()
        claim = {"os_hash_algo": "sha256", "os_hash_value": digest("sha256", b"SECRET")}
        self.assertEqual(202, self.post(image_id, "/disk", validation_data=claim).status_int)
        self.redirect("/disk", self.forbidden.url)
        self.work()
        self.assertEqual(("queued", "failure"), (self.status_of(image_id), self.tasks(image_id)[-1]["status"]))
        self.assert_unread()

    def test_a_copy_of_such_an_image_is_refused_too(self) -> None:
        image_id = self.create()
        self.assertEqual(202, self.post(image_id, "/disk").status_int)
        self.work()
        self.redirect("/disk", self.forbidden.url)
        self.run_import(image_id, "copy-image", caller="admin", stores=["cheap"])
        self.assertEqual("failure", self.tasks(image_id)[-1]["status"])
        self.assertEqual([0], self.kept("cheap"))
        self.assert_unread()


class TestNames(AddressesTest):
    def test_a_name_that_is_rebound_after_the_check_is_not_read(self) -> None:
        answers = [["127.0.0.1"]]
        judge = UriFilter.from_config(self.service.conf)
        judge._resolver = lambda host, port: answers[-1]
        self.service.services.stores.get("web").driver.guard(judge)
        image_id = self.create()
        self.assertEqual(202, self.post(image_id, "/disk", host="rebound.example").status_int)
        self.assertEqual(BODY, self.data(image_id))
        listener = socket.create_server(("127.0.0.2", self.web.port))
        self.addCleanup(listener.close)
        listener.setblocking(False)
        answers.append(["127.0.0.2"])
        self.assert_refused(image_id)
        self.assertRaises(BlockingIOError, listener.accept)


class TestOtherHosts(AddressesTest):
    def settings(self) -> dict[str, dict[str, object]]:
        found = super().settings()
        # The name stands for this machine and passes the filter, so that only the host of the redirect counts.
        found["import_filtering_opts"] |= {"allowed_hosts": "127.0.0.1,localhost"}
        return found

    def test_a_location_of_a_user_leads_to_no_other_host(self) -> None:
        self.redirect("/elsewhere", self.web.url("/disk", host="localhost"))
        answer = self.post(self.create(), "/elsewhere")
        self.assertEqual(400, answer.status_int)
        self.assertIn("another host", answer.text)
        image_id = self.create()
        body = {"url": self.web.url("/elsewhere")}
        answer = self.send("POST", f"/v2/images/{image_id}/locations", body, caller="service")
        self.assertEqual(202, answer.status_int)
        self.assertEqual(BODY, self.data(image_id))


class TestAllowedHosts(TestOtherHosts):
    options = {"DEFAULT": {"show_multiple_locations": True}, "web": {"http_redirects_to_other_hosts": True}}

    def test_a_location_of_a_user_leads_to_no_other_host(self) -> None:
        """It does where the operator allows it."""
        self.redirect("/elsewhere", self.web.url("/disk", host="localhost"))
        image_id = self.create()
        self.assertEqual(202, self.post(image_id, "/elsewhere").status_int)
        self.assertEqual(BODY, self.data(image_id))


class TestSizes(AddressesTest):
    def test_a_server_that_sends_more_than_it_announced_is_stopped_there(self) -> None:
        self.web.pages["/disk"] = Page(bytes(40_000_000), claimed_length=1_000_000)
        for claim in ({}, {"os_hash_algo": "sha256", "os_hash_value": digest("sha256", bytes(40_000_000))}):
            image_id = self.create()
            self.assertEqual(202, self.post(image_id, "/disk", validation_data=claim).status_int)
            self.work()
            task = self.tasks(image_id)[0]
            self.assertEqual("failure", task["status"])
            self.assertIn("more than the 1000000 bytes", task["message"])
            if not claim:
                self.assertEqual(1_000_000, len(self.data(image_id)))

    def test_a_size_that_cannot_be_is_refused(self) -> None:
        for length in (2**63, 2**64, 10**40):
            self.web.pages["/disk"] = Page(b"", claimed_length=length)
            image_id = self.create()
            self.assertEqual(400, self.post(image_id, "/disk").status_int)
            self.assertEqual(400, self.patch(image_id, self.web.url("/disk")).status_int)
