"""Locations added by the call of their own, with the worker that reads them (api-locations-add, api-locations-read)."""

from typing import Any

from tests.http.working import BODY, WorkingTest, digest

ALGORITHMS = ("sha1", "sha256", "sha512", "md5")


def told(algorithm: str, value: str = "") -> dict[str, str]:
    """Return the validation data for BODY, or what claims to be."""
    return {"os_hash_algo": algorithm, "os_hash_value": value or digest(algorithm)}


class LocationsTest(WorkingTest):
    def setUp(self) -> None:
        super().setUp()
        self.image_id = self.create()
        self.path = f"/v2/images/{self.image_id}/locations"

    def post(self, caller: str = "member", path: str = "/disk", **body: Any) -> int:
        """Return the status of the answer to a new location."""
        answer = self.send("POST", self.path, {"url": self.web.url(path), **body}, caller=caller)
        if answer.status_int == 202:
            self.assertEqual(b"", answer.body)
        return int(answer.status_int)

    def image(self) -> dict[str, Any]:
        return self.show(self.image_id)

    def another(self) -> None:
        """Go on with another image."""
        self.image_id = self.create()
        self.path = f"/v2/images/{self.image_id}/locations"

    def hashes(self) -> tuple[Any, ...]:
        """Return status and hashes of the image."""
        return tuple(self.image()[name] for name in ("status", "checksum", "os_hash_algo", "os_hash_value"))

    def task(self) -> dict[str, Any]:
        """Return the one task of the image."""
        (task,) = self.tasks(self.image_id)
        return task


class TestSecureHash(LocationsTest):
    """Locations with ``do_secure_hash``, which is the default (api-locations-add)."""

    def test_the_right_hash_makes_the_image_active_with_its_md5_too(self) -> None:
        for algorithm in ALGORITHMS:
            self.assertEqual(202, self.post(validation_data=told(algorithm)))
            self.assertEqual("importing", self.image()["status"])
            self.work()
            self.assertEqual(("active", digest("md5"), algorithm, digest(algorithm)), self.hashes())
            self.assertEqual((len(BODY), "web"), (self.image()["size"], self.image()["stores"]))
            self.assertEqual(BODY, self.data(self.image_id))
            task = self.task()
            self.assertEqual(("location_import", "success"), (task["type"], task["status"]))
            self.assertEqual({"image_id": self.image_id}, task["result"])
            self.assertNotIn("os_glance_import_task", self.image())
            self.another()

    def test_a_wrong_hash_fails_the_task_and_the_image_is_queued(self) -> None:
        self.assertEqual(202, self.post(validation_data=told("sha256", "ab" * 32)))
        self.work()
        self.assertEqual(("queued", None, None, None), self.hashes())
        self.assertEqual((None, None), (self.image()["size"], self.image().get("stores")))
        self.assertEqual("failure", self.task()["status"])
        self.assertIn("sha256", self.task()["message"])
        self.assertEqual(202, self.post(validation_data=told("sha256")))
        self.work()
        self.assertEqual("active", self.image()["status"])

    def test_without_a_hash_it_is_active_at_once_and_its_hashes_follow(self) -> None:
        self.assertEqual(202, self.post())
        self.assertEqual(("active", None, None, None), self.hashes())
        self.assertEqual(BODY, self.data(self.image_id))
        self.work()
        self.assertEqual(("active", digest("md5"), "sha512", digest("sha512")), self.hashes())
        self.assertEqual("success", self.task()["status"])

    def test_data_that_cannot_be_read_leaves_an_active_image_without_hashes(self) -> None:
        self.assertEqual(202, self.post(validation_data={}))
        self.web.pages["/disk"].status = 404
        self.work()
        self.assertEqual(("active", None, None, None), self.hashes())
        self.assertEqual("failure", self.task()["status"])

    def test_an_image_that_is_deleted_ends_the_calculation(self) -> None:
        self.assertEqual(202, self.post())
        task_id = self.task()["id"]
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.image_id}").status_int)
        self.work()
        self.assertEqual("failure", self.send("GET", f"/v2/tasks/{task_id}", caller="admin").json["status"])
        self.assertNotIn("GET", [asked.method for asked in self.web.asked])


class TestNoSecureHash(LocationsTest):
    """Locations without ``do_secure_hash``: what the caller claims is believed (api-locations-add)."""

    options = {"DEFAULT": {"do_secure_hash": False}}

    def test_claimed_hashes_are_kept_unchanged(self) -> None:
        for algorithm in ALGORITHMS:
            wrong = told(algorithm, "ab" * (len(digest(algorithm)) // 2))
            self.assertEqual(202, self.post(validation_data=wrong))
            self.assertEqual(("active", None, algorithm, wrong["os_hash_value"]), self.hashes())
            self.another()
        self.assertNotIn("GET", [asked.method for asked in self.web.asked])

    def test_without_a_hash_there_is_none(self) -> None:
        self.assertEqual(202, self.post())
        self.work()
        self.assertEqual(("active", None, None, None), self.hashes())
        self.assertEqual([], self.tasks(self.image_id))


class TestConsumers(LocationsTest):
    """What nova and cinder call as services (api-quirks-clients, api-locations-read)."""

    def test_cinder_adds_a_location_and_reads_it(self) -> None:
        self.assertEqual(202, self.post(caller="service", validation_data={}))
        expected = [{"url": self.web.url("/disk"), "metadata": {"store": "web"}}]
        for caller, status in (("service", 200), ("admin", 200), ("member", 403), ("reader", 403), ("other", 404)):
            answer = self.send("GET", self.path, caller=caller)
            self.assertEqual(status, answer.status_int, caller)
            if status == 200:
                self.assertEqual(expected, answer.json)
        self.assertEqual("active", self.image()["status"])
        self.work()
        self.assertEqual(digest("sha512"), self.image()["os_hash_value"])

    def test_nova_adds_no_location_to_an_image_that_has_data(self) -> None:
        image_id = self.uploaded()
        answer = self.send("POST", f"/v2/images/{image_id}/locations", {"url": self.web.url("/disk")}, caller="service")
        self.assertEqual(409, answer.status_int)

    def test_cinder_uploads_into_a_store_that_it_names(self) -> None:
        headers = {
            "Content_Type": "application/octet-stream",
            "X_Image_Meta_Store": "cheap",
            "X_OpenStack_Base_Image_Ref": self.image_id,
        }
        answer = self.send("PUT", f"/v2/images/{self.image_id}/file", BODY, **headers)
        self.assertEqual((204, "cheap"), (answer.status_int, self.image()["stores"]))
