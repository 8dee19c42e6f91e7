"""Images without the md5 of their data (``compute_checksum = false``), by each way in which data comes."""

from typing import Any

from tests.http.client import DATA_TYPE
from tests.http.working import BODY, WorkingTest, digest


class NoChecksumTest(WorkingTest):
    options = {"DEFAULT": {"compute_checksum": False, "hashing_algorithm": "sha256"}}

    def assertHashed(self, image: dict[str, Any]) -> None:
        """Fail unless the image has BODY, its sha256 and no checksum, and a download has no header for one."""
        shown = self.send("GET", f"/v2/images/{image['id']}").json
        self.assertEqual(("active", len(BODY), None), (shown["status"], shown["size"], shown["checksum"]))
        self.assertEqual(("sha256", digest("sha256")), (shown["os_hash_algo"], shown["os_hash_value"]))
        answer = self.send("GET", f"/v2/images/{image['id']}/file")
        self.assertEqual((BODY, None), (answer.body, answer.headers.get("Content-MD5")))

    def test_upload(self) -> None:
        image_id = self.create()
        self.assertEqual(204, self.send("PUT", f"/v2/images/{image_id}/file", BODY, Content_Type=DATA_TYPE).status_int)
        self.assertHashed({"id": image_id})

    def test_import_to_two_stores(self) -> None:
        image_id = self.create()
        self.stage(image_id)
        self.assertHashed(self.run_import(image_id, "glance-direct", stores=["fast", "cheap"]))

    def test_import_from_the_web(self) -> None:
        image_id = self.create()
        self.assertHashed(self.run_import(image_id, self.from_web()))

    def test_location(self) -> None:
        image_id = self.create()
        body = {"url": self.web.url("/disk"), "validation_data": {}}
        answer = self.send("POST", f"/v2/images/{image_id}/locations", body, caller="service")
        self.assertEqual(202, answer.status_int, answer.text)
        self.work()
        self.assertHashed({"id": image_id})


class Md5Test(WorkingTest):
    options = {"DEFAULT": {"hashing_algorithm": "md5"}}

    def test_one_algorithm_for_both_is_computed_once(self) -> None:
        image_id = self.create()
        self.send("PUT", f"/v2/images/{image_id}/file", BODY, Content_Type=DATA_TYPE)
        shown = self.send("GET", f"/v2/images/{image_id}").json
        self.assertEqual(
            (digest("md5"), "md5", digest("md5")),
            tuple(shown[name] for name in ("checksum", "os_hash_algo", "os_hash_value")),
        )
