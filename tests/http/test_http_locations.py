"""Locations on a web server, added and removed by PATCH; store weights (api-locations-patch, api-info-stores)."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.http.client import DATA_TYPE, ApplicationTest

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
BODY = b"from the web"


class _Files(BaseHTTPRequestHandler):
    """Every path but ``/none`` and ``/empty`` is a file with BODY."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        body = b"" if self.path == "/empty" else BODY
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class LocationsTest(ApplicationTest):
    def setUp(self) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.web = f"http://127.0.0.1:{server.server_port}"
        # The application may want to know the address.
        super().setUp()

    def settings(self) -> dict[str, dict[str, object]]:
        port = self.web.rpartition(":")[2]
        return {"import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": port}, **self.options}

    def patch(self, image_id: str, *steps: dict[str, Any], caller: str = "member") -> Any:
        return self.send("PATCH", f"/v2/images/{image_id}", list(steps), caller=caller, Content_Type=PATCH_TYPE)

    def add(self, path: str, position: str = "-", **item: Any) -> dict[str, Any]:
        value = {"url": self.web + path, "metadata": {}} | item
        return {"op": "add", "path": f"/locations/{position}", "value": value}


class TestChangingLocations(LocationsTest):
    options = {"DEFAULT": {"show_multiple_locations": True, "show_image_direct_url": True, "image_location_quota": 2}}

    def test_a_location_makes_a_queued_image_active(self) -> None:
        image_id = self.create()
        answer = self.patch(image_id, self.add("/a"))
        self.assertEqual(200, answer.status_int, answer.text)
        self.assertEqual("active", answer.json["status"])
        self.assertEqual(len(BODY), answer.json["size"])
        self.assertEqual([{"url": f"{self.web}/a", "metadata": {"store": "web"}}], answer.json["locations"])
        self.assertEqual("web", answer.json["stores"])
        self.assertEqual(BODY, self.send("GET", f"/v2/images/{image_id}/file").body)

    def test_an_image_without_locations_may_be_given_some_at_once(self) -> None:
        image_id = self.create()
        step = {"op": "replace", "path": "/locations", "value": [{"url": f"{self.web}/a", "metadata": {"n": "1"}}]}
        answer = self.patch(image_id, step)
        self.assertEqual(200, answer.status_int, answer.text)
        self.assertEqual("active", answer.json["status"])

    def test_the_metadata_of_a_location_has_at_most_65535_bytes(self) -> None:
        active, queued = self.create(), self.create()
        self.assertEqual(200, self.patch(active, self.add("/a")).status_int)
        for metadata, status in (
            ({"k": "x" * 65_536}, 400),
            ({"k": "ä" * 32_768}, 400),
            ({"k" * 65_536: ""}, 400),
            ({f"k{number}": [{"x": "y" * 100}] for number in range(600)}, 400),
            ({"k": "x" * 65_000}, 200),
        ):
            value = [{"url": f"{self.web}/a", "metadata": metadata}]
            replaced = {"op": "replace", "path": "/locations", "value": value}
            for image_id, step in ((active, replaced), (queued, replaced), (active, self.add("/b", metadata=metadata))):
                answer = self.patch(image_id, step)
                self.assertEqual(status, answer.status_int, answer.text)

    def test_locations_stand_where_they_were_put(self) -> None:
        image_id = self.create()
        answer = self.patch(image_id, self.add("/b"), self.add("/a", position="0"))
        self.assertEqual([f"{self.web}/a", f"{self.web}/b"], [each["url"] for each in answer.json["locations"]])

    def test_the_metadata_of_a_location_may_change_and_its_address_not(self) -> None:
        image_id = self.create()
        self.patch(image_id, self.add("/a"))
        same = {"op": "replace", "path": "/locations", "value": [{"url": f"{self.web}/a", "metadata": {"n": "1"}}]}
        answer = self.patch(image_id, same)
        self.assertEqual(200, answer.status_int, answer.text)
        self.assertEqual("1", answer.json["locations"][0]["metadata"]["n"])
        other = {"op": "replace", "path": "/locations", "value": [{"url": f"{self.web}/b", "metadata": {}}]}
        self.assertEqual(400, self.patch(image_id, other).status_int)

    def test_an_administrator_removes_all_but_the_last_location(self) -> None:
        image_id = self.create()
        self.patch(image_id, self.add("/a"), self.add("/b"))
        remove = {"op": "remove", "path": "/locations/0"}
        self.assertEqual(403, self.patch(image_id, remove).status_int)
        answer = self.patch(image_id, remove, caller="admin")
        self.assertEqual(200, answer.status_int, answer.text)
        self.assertEqual([f"{self.web}/b"], [each["url"] for each in answer.json["locations"]])
        self.assertEqual(403, self.patch(image_id, remove, caller="admin").status_int)

    def test_what_cannot_be_a_location_is_refused(self) -> None:
        image_id = self.create()
        self.patch(image_id, self.add("/a"))
        for step, status in (
            (self.add("/a", metadata={"store": "web"}), 400),
            (self.add("/none"), 400),
            (self.add("/empty"), 400),
            (self.add("/b", position="7"), 400),
        ):
            with self.subTest(step=step):
                self.assertEqual(status, self.patch(image_id, step).status_int)
        self.assertEqual(413, self.patch(image_id, self.add("/b"), self.add("/c")).status_int)

    def test_claimed_hashes_are_put_on_a_queued_image_and_never_shown_with_the_location(self) -> None:
        image_id = self.create()
        claim = {"os_hash_algo": "sha512", "os_hash_value": "ab" * 64, "checksum": "cd" * 16}
        answer = self.patch(image_id, self.add("/a", validation_data=claim))
        self.assertEqual(200, answer.status_int, answer.text)
        self.assertEqual(claim, {name: answer.json[name] for name in claim})
        self.assertEqual({"url", "metadata"}, set(answer.json["locations"][0]))
        other = {**claim, "os_hash_value": "ef" * 64}
        self.assertEqual(409, self.patch(image_id, self.add("/b", validation_data=other)).status_int)


class TestWeights(LocationsTest):
    options = {
        "DEFAULT": {"show_multiple_locations": True, "show_image_direct_url": True},
        "web": {"weight": 5},
    }

    def test_the_heavier_store_is_read_first_unless_another_is_preferred(self) -> None:
        image_id = self.create()
        self.send("PUT", f"/v2/images/{image_id}/file", b"from memory!", Content_Type=DATA_TYPE)
        answer = self.patch(image_id, self.add("/a"))
        self.assertEqual(200, answer.status_int, answer.text)
        self.assertEqual(f"{self.web}/a", answer.json["direct_url"])
        self.assertEqual("web,fast", answer.json["stores"])
        path = f"/v2/images/{image_id}/file"
        self.assertEqual(BODY, self.send("GET", path).body)
        self.assertEqual(b"from memory!", self.send("GET", f"{path}?prefer=fast").body)
        self.assertEqual(BODY, self.send("GET", f"{path}?prefer=cheap,web").body)
        self.assertEqual(400, self.send("GET", f"{path}?prefer=nowhere").status_int)
