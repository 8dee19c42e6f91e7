"""``[metadefs] enforce``: custom properties keep to a namespace; required ones come before data."""

import json
from typing import Any

from glance_mini.domain.metadefs import ObjectDefinition, PropertyDefinition
from glance_mini.operations.metadefs import AddNamespace
from tests.http.client import DATA_TYPE, ApplicationTest
from tests.unit.layers.test_metadefs import IMAGE, content

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
REQUIRED = ObjectDefinition("System", None, ("distro",), {"distro": {"title": "D", "type": "string"}})
CPUS = PropertyDefinition("cpus", {"title": "CPUs", "type": "integer", "minimum": 1, "maximum": 8})


class EnforcedTest(ApplicationTest):
    options: dict[str, dict[str, object]] = {
        "metadefs": {"enforce": "Acme,None"},
        "DEFAULT": {
            "show_multiple_locations": True,
            "do_secure_hash": False,
            "enabled_import_methods": "glance-direct",
        },
    }

    def setUp(self) -> None:
        super().setUp()
        made = content(CPUS, objects=(REQUIRED,), associations=(IMAGE,))
        self.service.services.data.run(AddNamespace(made))

    def refused(self, answer: Any, *words: str) -> None:
        self.assertEqual(400, answer.status_int, answer.text)
        for word in words:
            self.assertIn(word, answer.text)

    def patch(self, image_id: str, *changes: dict[str, Any]) -> Any:
        body = json.dumps(changes).encode()
        return self.send("PATCH", f"/v2/images/{image_id}", body, Content_Type=PATCH_TYPE)

    def upload(self, image_id: str) -> Any:
        return self.send("PUT", f"/v2/images/{image_id}/file", b"data", Content_Type=DATA_TYPE)

    def test_a_create_that_breaks_a_rule_names_property_rule_and_value(self) -> None:
        answer = self.send("POST", "/v2/images", {"os_cpus": "9"}, Accept="application/json")
        self.refused(answer, "os_cpus", "maximum 8", "9", "Acme")
        self.assertEqual([], self.send("GET", "/v2/images").json["images"])
        self.create(os_cpus="8", cpus="many", other="9")

    def test_a_patch_that_breaks_a_rule_changes_nothing(self) -> None:
        image = self.create(os_cpus="8", other="x")
        for change in (
            {"op": "replace", "path": "/os_cpus", "value": "x"},
            {"op": "add", "path": "/os_cpus", "value": "0"},
            {"op": "move", "from": "/other", "path": "/os_cpus"},
        ):
            good = {"op": "add", "path": "/color", "value": "red"}
            self.refused(self.patch(image, good, change), "os_cpus")
        shown = self.send("GET", f"/v2/images/{image}").json
        self.assertEqual(("8", "x", None), (shown["os_cpus"], shown["other"], shown.get("color")))
        for change in ({"op": "replace", "path": "/os_cpus", "value": "1"}, {"op": "remove", "path": "/os_cpus"}):
            self.assertEqual(200, self.patch(image, change).status_int)

    def test_an_upload_needs_what_is_required(self) -> None:
        image = self.create()
        self.refused(self.upload(image), "os_distro", "required")
        self.assertEqual("queued", self.status_of(image))
        self.patch(image, {"op": "add", "path": "/os_distro", "value": "leap"})
        self.assertEqual(204, self.upload(image).status_int)
        self.assertEqual("active", self.status_of(image))

    def test_what_is_required_stays_while_there_is_data(self) -> None:
        image = self.create(os_distro="leap", other="x")
        remove = {"op": "remove", "path": "/os_distro"}
        self.upload(image)
        self.refused(self.patch(image, remove), "os_distro")
        rename = {"op": "move", "from": "/os_distro", "path": "/name2"}
        self.refused(self.patch(image, rename), "os_distro")
        self.assertEqual(200, self.patch(image, {"op": "remove", "path": "/other"}).status_int)
        self.assertEqual(200, self.patch(self.create(os_distro="leap"), remove).status_int)

    def test_an_image_of_before_may_be_changed(self) -> None:
        image = self.create(os_distro="leap")
        self.upload(image)
        with self.service.backend.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM image_properties")
        self.assertEqual(200, self.patch(image, {"op": "add", "path": "/color", "value": "red"}).status_int)

    def test_a_location_needs_what_is_required(self) -> None:
        image = self.create()
        url = self._stored()
        self.refused(self.send("POST", f"/v2/images/{image}/locations", {"url": url}, "admin"), "os_distro")
        add = {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}
        body = json.dumps([add]).encode()
        self.refused(self.send("PATCH", f"/v2/images/{image}", body, "admin", Content_Type=PATCH_TYPE), "os_distro")
        self.assertEqual("queued", self.status_of(image))
        self.patch(image, {"op": "add", "path": "/os_distro", "value": "leap"})
        answer = self.send("POST", f"/v2/images/{image}/locations", {"url": url}, "admin")
        self.assertEqual(202, answer.status_int, answer.text)
        self.assertEqual("active", self.status_of(image))

    def _stored(self) -> str:
        """Return the URL of data in a store."""
        image = self.create(os_distro="leap")
        self.upload(image)
        return str(self.send("GET", f"/v2/images/{image}/locations", caller="admin").json[0]["url"])

    def test_an_import_needs_what_is_required_and_staging_does_not(self) -> None:
        image = self.create()
        answer = self.send("PUT", f"/v2/images/{image}/stage", b"data", Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        method = {"method": {"name": "glance-direct"}}
        self.refused(self.send("POST", f"/v2/images/{image}/import", method), "os_distro")
        self.assertEqual("uploading", self.status_of(image))
        self.patch(image, {"op": "add", "path": "/os_distro", "value": "leap"})
        answer = self.send("POST", f"/v2/images/{image}/import", method)
        self.assertEqual(202, answer.status_int, answer.text)
        self.refused(self.patch(image, {"op": "remove", "path": "/os_distro"}), "os_distro")
