"""Imports and staging over HTTP, where a table cannot look; no worker runs (api-images-tasks, api-data-stage)."""

import json
from pathlib import Path

from tests.http.client import DATA_TYPE, ApplicationTest

CATALOGUE = [
    {
        "type": "image",
        "endpoints": [{"region_id": "R2", "interface": "public", "url": "http://203.0.113.7/v2"}],
    }
]


class TestImportCalls(ApplicationTest):
    options = {
        "DEFAULT": {"enabled_import_methods": "glance-direct,web-download,copy-image,glance-download"},
        "import_filtering_opts": {"allowed_hosts": "203.0.113.0/24"},
    }

    def setUp(self) -> None:
        super().setUp()
        self.image_id = self.create()
        self.path = f"/v2/images/{self.image_id}"

    def stage(self, data: bytes = b"staged") -> list[Path]:
        """Stage ``data`` and return the files in the staging area."""
        answer = self.send("PUT", f"{self.path}/stage", data, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        return self.staged()

    def staged(self) -> list[Path]:
        return list((self.service.folder / "staging").iterdir())

    def test_staged_data_is_a_file_of_the_staging_area(self) -> None:
        (file,) = self.stage()
        self.assertEqual(b"staged", file.read_bytes())

    def test_the_staged_file_goes_with_its_image(self) -> None:
        self.stage()
        self.assertEqual(204, self.send("DELETE", self.path).status_int)
        self.assertEqual([], self.staged())

    def test_the_one_task_of_an_import_has_the_id_of_its_request(self) -> None:
        self.stage()
        answer = self.send("POST", f"{self.path}/import", {"method": {"name": "glance-direct"}})
        (task,) = self.send("GET", f"{self.path}/tasks").json["tasks"]
        self.assertEqual(answer.headers["x-openstack-request-id"], task["request_id"])
        self.assertRegex(task["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")

    def test_events_tell_of_an_import_without_its_address(self) -> None:
        body = {"method": {"name": "web-download", "uri": "http://203.0.113.1/x?token=secret"}}
        self.assertEqual(202, self.send("POST", f"{self.path}/import", body).status_int)
        events = self.service.events()
        self.assertLessEqual({"task.create", "image.prepare"}, {event.type for event in events})
        self.assertNotIn("secret", repr(events))

    def test_a_service_catalogue_without_a_token_of_keystone_is_not_believed(self) -> None:
        method = {"name": "glance-download", "glance_region": "R2", "glance_image_id": self.image_id}
        catalogue = json.dumps(CATALOGUE)
        answer = self.send("POST", f"{self.path}/import", {"method": method}, X_Service_Catalog=catalogue)
        self.assertEqual(400, answer.status_int)
        self.assertIn("token of Keystone", answer.text)
