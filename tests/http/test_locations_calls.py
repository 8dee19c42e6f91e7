"""Locations on a web server, added by the call of their own (api-locations-add). No worker runs."""

import hashlib
from typing import Any

from tests.http.test_http_locations import BODY, LocationsTest

RIGHT = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(BODY).hexdigest()}


class CallsTest(LocationsTest):
    def setUp(self) -> None:
        super().setUp()
        self.path = f"/v2/images/{self.create()}"

    def post(self, url: str = "", caller: str = "member", **body: Any) -> int:
        """Return the status of the answer to a new location."""
        answer = self.send("POST", f"{self.path}/locations", {"url": url or f"{self.web}/a", **body}, caller=caller)
        return int(answer.status_int)

    def image(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.send("GET", self.path).json
        return shown

    def tasks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.send("GET", f"{self.path}/tasks").json["tasks"]
        return found


class TestReading(CallsTest):
    def test_an_image_is_active_at_once_and_read_later(self) -> None:
        self.assertEqual(202, self.post())
        image = self.image()
        self.assertEqual(("active", len(BODY), "web"), (image["status"], image["size"], image["stores"]))
        self.assertIsNone(image["os_hash_value"])
        self.assertEqual(BODY, self.send("GET", f"{self.path}/file").body)
        (task,) = self.tasks()
        self.assertEqual(("location_import", "pending"), (task["type"], task["status"]))
        expected = {"image_id": image["id"], "loc_url": f"{self.web}/a", "validation_data": {}}
        self.assertEqual(expected, task["input"])
        self.assertEqual(task["id"], image["os_glance_import_task"])
        self.assertEqual(409, self.post())

    def test_metadata_in_the_body_is_not_kept(self) -> None:
        self.assertEqual(202, self.post(metadata={"k": "x" * 100_000}))
        expected = [{"url": f"{self.web}/a", "metadata": {"store": "web"}}]
        self.assertEqual(expected, self.send("GET", f"{self.path}/locations", caller="service").json)

    def test_with_a_hash_it_waits_for_its_verification(self) -> None:
        self.assertEqual(202, self.post(validation_data=RIGHT))
        image = self.image()
        self.assertEqual(("importing", None), (image["status"], image["os_hash_value"]))
        self.assertEqual([], self.send("GET", f"{self.path}/locations", caller="service").json)
        (task,) = self.tasks()
        self.assertEqual(RIGHT, task["input"]["validation_data"])
        self.assertEqual(409, self.post(validation_data=RIGHT))

    def test_a_service_adds_a_location_to_the_image_of_any_project(self) -> None:
        self.assertEqual(202, self.post(caller="service", validation_data={}))
        expected = [{"url": f"{self.web}/a", "metadata": {"store": "web"}}]
        self.assertEqual(expected, self.send("GET", f"{self.path}/locations", caller="service").json)
        (task,) = self.tasks()
        self.assertEqual("p9", task["owner"])

    def test_what_cannot_be_read_is_refused(self) -> None:
        for path in ("/none", "/empty"):
            self.assertEqual(400, self.post(f"{self.web}{path}"))
            self.assertEqual(400, self.post(f"{self.web}{path}", validation_data=RIGHT))
        self.assertEqual(("queued", []), (self.image()["status"], self.tasks()))

    def test_tasks_do_not_show_credentials(self) -> None:
        self.assertEqual(202, self.post(self.web.replace("http://", "http://user:passw0rd@") + "/a"))
        self.assertNotIn("passw0rd", self.send("GET", f"{self.path}/tasks").text)
        (task,) = self.tasks()
        self.assertNotIn("passw0rd", self.send("GET", f"/v2/tasks/{task['id']}", caller="admin").text)


class TestRefusedAddresses(LocationsTest):
    """Nothing is configured: what a user adds must be public, what a service adds need not."""

    options = {"import_filtering_opts": {}, "DEFAULT": {"show_multiple_locations": True}}

    def test_a_user_cannot_read_the_network_of_the_service_through_a_location(self) -> None:
        image_id = self.create()
        path = f"/v2/images/{image_id}/locations"
        port = self.web.rpartition(":")[2]
        for url in (
            f"{self.web}/a",
            f"http://user:secret@127.0.0.1:{port}/a",
            f"http://2130706433:{port}/a",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/a",
        ):
            answer = self.send("POST", path, {"url": url})
            self.assertEqual(400, answer.status_int, url)
            self.assertNotIn("secret", answer.text)
            answer = self.patch(image_id, self.add("", url=url))
            self.assertEqual(400, answer.status_int, url)
            self.assertNotIn("secret", answer.text)
        self.assertEqual(202, self.send("POST", path, {"url": f"{self.web}/a"}, caller="service").status_int)
        self.assertEqual(BODY, self.send("GET", f"/v2/images/{image_id}/file").body)

    def test_an_operator_vouches_for_an_address_by_a_patch_too(self) -> None:
        image_id = self.create()
        answer = self.patch(image_id, self.add("/a"), caller="admin")
        self.assertEqual([{"url": f"{self.web}/a", "metadata": {"store": "web"}}], answer.json["locations"])
        self.assertEqual(BODY, self.send("GET", f"/v2/images/{image_id}/file").body)
        same = [{"url": f"{self.web}/a", "metadata": {"n": "1"}}]
        answer = self.patch(image_id, {"op": "replace", "path": "/locations", "value": same})
        self.assertEqual({"n": "1", "store": "web"}, answer.json["locations"][0]["metadata"])
        self.assertEqual(BODY, self.send("GET", f"/v2/images/{image_id}/file").body)

    def test_a_user_cannot_claim_to_be_an_operator(self) -> None:
        claimed = self.add("/a", metadata={"os_glance_added_by": "operator"})
        self.assertEqual(400, self.patch(self.create(), claimed).status_int)


class TestBelieving(CallsTest):
    options = {"DEFAULT": {"do_secure_hash": False}}

    def test_a_claimed_hash_is_believed(self) -> None:
        self.assertEqual(202, self.post(validation_data={**RIGHT, "os_hash_value": "AB" * 32}))
        image = self.image()
        self.assertEqual(("active", "sha256", "ab" * 32), tuple(image[n] for n in ("status", *RIGHT)))
        self.assertEqual((None, []), (image["checksum"], self.tasks()))

    def test_without_one_there_is_none(self) -> None:
        self.assertEqual(202, self.post())
        image = self.image()
        self.assertEqual(("active", None, None), tuple(image[n] for n in ("status", *RIGHT)))
        self.assertEqual([], self.tasks())


class TestLimits(CallsTest):
    options = {"DEFAULT": {"user_storage_quota": "3B"}}

    def test_data_that_was_stored_elsewhere_counts(self) -> None:
        self.assertEqual((413, "queued"), (self.post(), self.image()["status"]))
