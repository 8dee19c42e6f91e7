"""Data of users in a store of theirs, registered as the data of images (api-locations-users)."""

from glance_mini_store import errors
from tests.http.working import BODY, WorkingTest, digest
from tests.stash_store import StashDriver


class UserLocationsTest(WorkingTest):
    options = {"DEFAULT": {"show_multiple_locations": True}, "direct_access": {"downloads": True}}

    def setUp(self):
        super().setUp()
        self.stash = StashDriver("cheap")
        self.service.services.stores.get("cheap").driver = self.stash
        self.url = self.stash.put("p1-disk", BODY)
        self.image_id = self.create()

    def add(self, status=202, caller="member", url=None, **body):
        path = f"/v2/images/{self.image_id}/locations"
        answer = self.send("POST", path, {"url": url or self.url, **body}, caller=caller)
        self.assertEqual(status, answer.status_int, answer.text)
        return answer.text

    def download(self, status, caller="member", query="", **headers):
        answer = self.send("GET", f"/v2/images/{self.image_id}/file{query}", caller=caller, **headers)
        self.assertEqual(status, answer.status_int)
        return answer.body

    def locations(self):
        return self.send("GET", f"/v2/images/{self.image_id}/locations", caller="service").json

    def test_image_is_active_at_once_and_its_hashes_are_learnt(self):
        self.add()
        image = self.show(self.image_id)
        self.assertEqual(("active", len(BODY), None), (image["status"], image["size"], image["os_hash_value"]))
        self.assertEqual(BODY, self.download(200))
        self.work()
        self.assertEqual(digest("sha512"), self.show(self.image_id)["os_hash_value"])
        self.assertEqual(BODY[5:9], self.download(206, Range="bytes=5-8"))
        self.assertEqual([0, 1], self.kept("fast", "cheap"))

    def test_claimed_hash_is_compared_first(self):
        for claim, status in ((digest("sha256"), "active"), ("ab" * 32, "queued")):
            self.image_id = self.create()
            self.add(validation_data={"os_hash_algo": "sha256", "os_hash_value": claim})
            self.assertEqual("importing", self.show(self.image_id)["status"])
            self.work()
            self.assertEqual(status, self.show(self.image_id)["status"])
        self.assertEqual([], self.stash.deleted)
        self.image_id = self.create()
        self.add(validation_data={"os_hash_algo": "sha256", "os_hash_value": digest("sha256")})
        self.work()
        self.stash.put("p1-disk", BODY[::-1])
        self.download(409)

    def test_changed_data_is_an_error_and_never_other_bytes(self):
        self.add()
        self.work()
        self.stash.put("p1-disk", BODY[::-1])
        self.download(409)
        self.download(409, Range="bytes=5-8")
        self.download(409, caller="admin")
        self.stash.put("p1-disk", BODY)
        self.assertEqual(BODY, self.download(200))

    def test_data_that_changes_before_its_hashes_are_learnt_gets_none(self):
        self.add()
        self.stash.put("p1-disk", BODY[::-1])
        self.work()
        self.assertIsNone(self.show(self.image_id)["os_hash_value"])
        (task,) = self.tasks(self.image_id)
        self.assertEqual("failure", task["status"])
        self.assertIn("replaced", task["message"])

    def test_data_is_read_for_others_by_the_service(self):
        self.send("POST", f"/v2/images/{self.image_id}/members", {"member": "p2"})
        self.add()
        self.assertEqual(BODY, self.download(200, caller="other"))

    def test_data_stays_when_the_image_or_the_location_goes(self):
        self.add()
        self.work()
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.image_id}").status_int)
        self.image_id = self.create()
        self.add()
        self.work()
        self.assertEqual(202, self.run_copy().status_int)
        self.work()
        self.assertEqual(204, self.send("DELETE", f"/v2/stores/cheap/{self.image_id}", caller="admin").status_int)
        self.assertEqual([1, 1], self.kept("fast", "cheap"))
        self.assertEqual([], self.stash.deleted)
        self.assertEqual(BODY, self.download(200))

    def run_copy(self):
        return self.import_image(self.image_id, "copy-image", caller="admin", stores=["fast"])

    def test_what_pins_the_data_is_shown_to_nobody_and_set_by_nobody(self):
        self.add()
        self.assertEqual([{"url": self.url, "metadata": {"store": "cheap"}}], self.locations())
        path = f"/v2/images/{self.image_id}"
        change = [{"op": "replace", "path": "/locations", "value": [{"url": self.url, "metadata": {"a": "b"}}]}]
        kind = "application/openstack-images-v2.1-json-patch"
        self.work()
        answer = self.send("PATCH", path, change, caller="admin", Content_Type=kind)
        self.assertEqual(200, answer.status_int, answer.text)
        self.stash.put("p1-disk", BODY[::-1])
        self.download(409)

    def test_changed_data_is_never_redirected_to(self):
        self.add()
        self.work()
        self.assertEqual(BODY, self.download(200, query="?redirect=true"))

    def test_users_name_their_own_data_only(self):
        theirs = self.stash.put("p2-disk", BODY)
        plain = self.driver("fast").write("p1-x", [b"x"], 1).location
        for url in (theirs, plain, "file:///etc/passwd", "rbd://a/b/c/snap", "swift+config://ref1/c/o"):
            self.add(403, url=url)
        self.assertEqual("queued", self.show(self.image_id)["status"])
        self.add(404, caller="other")
        self.add(403, caller="reader")

    def test_data_must_be_there(self):
        for url in (self.stash.put("p1-empty", b""), f"{self.url}-none"):
            self.assertIn("The location", self.add(400, url=url))
        self.assertEqual("queued", self.show(self.image_id)["status"])

    def test_store_says_what_it_needs(self):
        self.stash.refusal = errors.Invalid(reason="let it by: swift post -r who container")
        self.assertIn("swift post -r who container", self.add(400))
        self.assertEqual([], self.locations())

    def test_store_that_takes_nothing_of_users_refuses_them(self):
        self.service.services.stores.get("cheap").driver = self.driver("fast")
        self.add(403)
