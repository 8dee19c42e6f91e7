"""A read-only store is the default one: a catalogue of web locations alone."""

from tests.http.client import DATA_TYPE
from tests.http.test_http_locations import BODY, LocationsTest

WEB = {"method": {"name": "web-download", "uri": "http://203.0.113.1/x"}}


class ReadOnlyCase(LocationsTest):
    name = ""

    def test_a_location_is_added_and_read(self) -> None:
        path = f"/v2/images/{self.create()}"
        answer = self.send("POST", f"{path}/locations", {"url": f"{self.web}/a"})
        self.assertEqual((202, ""), (answer.status_int, answer.text))
        self.assertEqual(BODY, self.send("GET", f"{path}/file").body)

    def test_an_upload_is_refused_with_the_reason_and_changes_nothing(self) -> None:
        image_id = self.create()
        answer = self.send("PUT", f"/v2/images/{image_id}/file", b"abc", Content_Type=DATA_TYPE)
        self.assertEqual(410, answer.status_int)
        self.assertIn(f"store {self.name}: this store is read-only and takes no new data", answer.text)
        self.assertEqual("queued", self.status_of(image_id))

    def test_an_import_is_refused_with_the_reason_and_changes_nothing(self) -> None:
        image_id = self.create()
        for more in ({}, {"all_stores": True}):
            answer = self.send("POST", f"/v2/images/{image_id}/import", WEB | more)
            self.assertEqual((409, True), (answer.status_int, "read-only" in answer.text), answer.text)
        self.assertEqual("queued", self.status_of(image_id))

    def test_staged_data_is_not_imported(self) -> None:
        image_id = self.create()
        path = f"/v2/images/{image_id}"
        self.assertEqual(204, self.send("PUT", f"{path}/stage", b"abc", Content_Type=DATA_TYPE).status_int)
        self.assertEqual(409, self.send("POST", f"{path}/import", {"method": {"name": "glance-direct"}}).status_int)
        self.assertEqual("uploading", self.status_of(image_id))

    def test_an_import_task_is_refused(self) -> None:
        task = {"type": "import", "input": {"import_from": f"{self.web}/a", "import_from_format": "raw"}}
        answer = self.send("POST", "/v2/tasks", task, caller="admin")
        self.assertEqual((409, True), (answer.status_int, "read-only" in answer.text), answer.text)


class TestOneStore(ReadOnlyCase):
    name = "http"
    options = {
        "DEFAULT": {"enabled_backends": None},
        "glance_store": {"stores": "http", "default_backend": None, "default_store": "http"},
    }


class TestStoreById(ReadOnlyCase):
    name = "web"
    options = {"DEFAULT": {"enabled_backends": "web:http"}, "glance_store": {"default_backend": "web"}}


del ReadOnlyCase
