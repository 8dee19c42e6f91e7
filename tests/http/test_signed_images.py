"""Signed images over HTTP, with certificates of a key manager that castellan loads (api-data-signatures)."""

import uuid
from typing import Any

from glance_mini.jobs.import_image import ImportJob
from glance_mini.workers.loop import Worker
from glance_mini.workers.settings import WorkerSettings
from glance_mini.workers.wakeup import Wakeup
from tests.http.client import DATA_TYPE, ApplicationTest, Stream
from tests.unit.content.signed import EC_KEY, KeyDirectory, sign, signed

DATA = bytes(range(256)) * 1000


class SignedCase(ApplicationTest):
    def setUp(self) -> None:
        self.keys = KeyDirectory()
        self.keys.setUp()
        self.options = self.keys.options
        super().setUp()
        self.addCleanup(self.keys.cleanUp)
        self.certificate_id = self.keys.add()

    def create_signed(self, **values: Any) -> str:
        """Return the id of a new image whose data must be ``DATA``."""
        return self.create(**signed(DATA, self.certificate_id, **values))


class TestUploads(SignedCase):
    def upload(self, image_id: str, data: bytes = DATA, chunked: bool = False) -> Any:
        """Upload ``data``; returns the answer and how often the body was read."""
        stream = Stream(*(data[start : start + 10_000] for start in range(0, len(data), 10_000)))
        path, length = f"/v2/images/{image_id}/file", None if chunked else len(data)
        return self.send_stream("PUT", path, stream, length, Content_Type=DATA_TYPE), stream.reads

    def refused(self, image_id: str, status: int, **values: Any) -> str:
        """Return the text of a refusal that has left nothing and the image as it was."""
        answer, self.reads = self.upload(image_id, **values)
        self.assertEqual(status, answer.status_int, answer.text)
        self.assertEqual("queued", self.status_of(image_id))
        self.assertFalse(self.is_stored(image_id))
        return str(answer.text)

    def refused_unread(self, status: int, **values: Any) -> str:
        """Return the text of a refusal of which the body was not read."""
        text = self.refused(self.create_signed(**values), status)
        self.assertEqual(0, self.reads)
        return text

    def test_data_that_was_signed_is_stored(self) -> None:
        ecc = {"img_signature_key_type": "ECC_SECP521R1", "img_signature_certificate_uuid": self.keys.add(EC_KEY)}
        for values in ({}, {"img_signature": sign(DATA, key=EC_KEY), **ecc}):
            for chunked in (False, True):
                image_id = self.create_signed(**values)
                answer, _ = self.upload(image_id, chunked=chunked)
                self.assertEqual(204, answer.status_int, answer.text)
                self.assertEqual("active", self.status_of(image_id))
                self.assertEqual(DATA, self.send("GET", f"/v2/images/{image_id}/file").body)

    def test_other_data_leaves_nothing(self) -> None:
        image_id = self.create_signed()
        for data in (DATA[:-1] + b".", DATA + b".", DATA[1:], b""):
            for chunked in (False, True):
                self.assertIn("not what was signed", self.refused(image_id, 400, data=data, chunked=chunked))
        self.assertEqual(204, self.upload(image_id)[0].status_int)

    def test_what_cannot_be_verified_is_refused_before_it_is_read(self) -> None:
        self.assertIn("MD5", self.refused_unread(400, img_signature_hash_method="MD5"))
        self.assertIn("DSS", self.refused_unread(400, img_signature_key_type="DSS"))
        self.assertIn("base64", self.refused_unread(400, img_signature="é"))
        unknown = str(uuid.uuid4())
        self.assertIn(unknown, self.refused_unread(400, img_signature_certificate_uuid=unknown))
        other = self.keys.add(EC_KEY)
        self.assertIn("RSA-PSS", self.refused_unread(400, img_signature_certificate_uuid=other))

    def test_a_key_manager_that_is_away_is_no_fault_of_the_image(self) -> None:
        image_id = self.create_signed()
        self.keys.go_away()
        self.assertNotIn("away", self.refused(image_id, 503))
        self.assertEqual(0, self.reads)
        self.keys.come_back()
        self.assertEqual(204, self.upload(image_id)[0].status_int)

    def test_an_image_that_lacks_one_of_the_properties_needs_no_key_manager(self) -> None:
        self.keys.go_away()
        for name in signed(DATA, self.certificate_id):
            properties = signed(DATA, self.certificate_id)
            del properties[name]
            self.assertEqual(204, self.upload(self.create(**properties), b"other")[0].status_int)

    def test_a_property_that_was_changed_before_the_upload_counts(self) -> None:
        image_id = self.create_signed()
        path, kind = f"/v2/images/{image_id}", "application/openstack-images-v2.1-json-patch"
        patch = [{"op": "replace", "path": "/img_signature", "value": sign(b"other")}]
        self.assertEqual(200, self.send("PATCH", path, patch, Content_Type=kind).status_int)
        self.refused(image_id, 400)
        self.assertEqual(204, self.upload(image_id, b"other")[0].status_int)


class TestImports(SignedCase):
    def run_import(self, data: bytes) -> tuple[Any, Any]:
        """Return a new image and its task after the import of ``data``."""
        path = f"/v2/images/{self.create_signed()}"
        self.assertEqual(204, self.send("PUT", f"{path}/stage", data, Content_Type=DATA_TYPE).status_int)
        body = {"method": {"name": "glance-direct"}, "stores": ["fast", "cheap"]}
        self.assertEqual(202, self.send("POST", f"{path}/import", body).status_int)
        conf, services = self.service.conf, self.service.services
        job_type = ImportJob.from_config(conf, services, self.service.stack)
        worker = Worker(services.data, {job_type.kind: job_type}, Wakeup(), WorkerSettings(), services.metrics)
        self.assertTrue(worker.run_one())
        (task,) = self.send("GET", f"{path}/tasks").json["tasks"]
        return self.send("GET", path).json, task

    def test_staged_data_that_was_signed_is_imported(self) -> None:
        image, task = self.run_import(DATA)
        self.assertEqual(("active", "success"), (image["status"], task["status"]))
        self.assertEqual({"fast", "cheap"}, set(image["stores"].split(",")))

    def test_other_data_leaves_nothing(self) -> None:
        image, task = self.run_import(DATA + b".")
        self.assertEqual(("queued", "failure"), (image["status"], task["status"]))
        self.assertIn("not what was signed", task["message"])
        self.assertFalse(self.is_stored(image["id"]))
        self.assertEqual([], list((self.service.folder / "staging").iterdir()))
