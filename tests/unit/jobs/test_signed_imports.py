"""Imports of signed images: what is verified, when, and in whose name."""

import gzip
import json
import logging
from dataclasses import replace

import fixtures
from webob import Request

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.clock import utcnow
from glance_mini.fetching.downloads import Downloads
from glance_mini.imports.methods import GlanceDownload
from glance_mini.imports.plugins.decompression import ImageDecompression
from glance_mini.imports.plugins.inject_metadata import InjectMetadata
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.jobs import GetJob
from glance_mini_store.streams import BLOCK
from tests.unit.content.signed import EC_KEY, DirectoryKeyManager, KeyDirectory, sign, signed
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.jobs.support import DATA, ImportCase, Interrupted

OTHER = DATA[:-1] + bytes([DATA[-1] ^ 1])
TOKEN = "sEcReT"
OTHER_ID = "5b1cc7c5-7c0d-4c6e-9a2f-2f6d2b3c4d5e"


class SignedCase(ImportCase):
    """The key manager answers ``token`` only, which is the caller's; all where it is empty."""

    token = TOKEN

    def settings(self):
        self.keys = self.useFixture(KeyDirectory(self.token))
        self.certificate_id = self.keys.add()
        self.server = self.useFixture(RawServer())
        allowed = {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port}
        methods = "glance-direct,web-download,copy-image,glance-download"
        return {
            **self.keys.options,
            "DEFAULT": {**self.keys.options["DEFAULT"], "enabled_import_methods": methods},
            "import_filtering_opts": allowed,
        }

    def setUp(self):
        super().setUp()
        self.caller = replace(self.caller, auth_token=TOKEN, project_id="p1")

    def create_signed(self, data=DATA, **values):
        """Return the id of a new image whose data must be ``data``."""
        return self.create(properties=signed(data, self.certificate_id, **values))

    def import_staged(self, image_id, *stores, data=DATA, **values):
        """Import staged data and return the image."""
        self.stage(image_id, data)
        return self.run_import(image_id, *stores, **values)

    def import_from_web(self, image_id, *stores, data=DATA):
        """Import what a web server gives and return the image."""
        self.server.answers = (response(data),)
        return self.run_import(image_id, *stores, name="web-download", method={"uri": self.server.url()})

    def change(self, image_id, **properties):
        """Change properties, as their owner may at any time."""
        changes = tuple(PropertyChange("add", name, value) for name, value in properties.items())
        self.services.data.run(UpdateImage(image_id, changes=changes), utcnow())
        self.assertLessEqual(properties.items(), self.image(image_id).properties.items())

    def failed(self, image):
        """Return why the import of ``image`` failed at its first attempt, once it has left nothing behind."""
        self.assertEqual(("queued", None, None, ()), (image.status, image.size, image.checksum, image.locations))
        self.assertEqual({}, self.kept())
        task = self.task(image.id)
        self.assertEqual(("failure", None, 1), (task.state, task.result, task.attempts))
        return task.message


class TestVerification(SignedCase):
    def test_data_that_was_signed_is_imported_from_everywhere(self):
        for bring in (self.import_staged, self.import_from_web):
            for stores in (("disk",), ("fast",), ("slow", "disk", "cheap")):
                image = bring(self.create_signed(), *stores)
                self.assertEqual(("active", len(DATA)), (image.status, image.size), self.task(image.id).message)
                self.assertEqual([DATA] * len(stores), [self.data_of(image, store) for store in stores])

    def test_several_stores_need_one_verification(self):
        before = DirectoryKeyManager.asked
        self.import_staged(self.create_signed(), "slow", "disk", "cheap")
        self.assertEqual(before + 1, DirectoryKeyManager.asked)

    def test_other_data_is_left_in_no_store(self):
        for bring in (self.import_staged, self.import_from_web):
            for stores in (("disk",), ("fast",), ("slow", "disk", "cheap")):
                image = bring(self.create_signed(), *stores, data=OTHER)
                self.assertIn("not what was signed", self.failed(image))
                self.assertEqual((None, "", ",".join(stores)), self.progress(image))

    def test_stores_that_may_fail_do_not_make_a_bad_signature_good(self):
        image = self.import_staged(
            self.create_signed(), "disk", "fast", "cheap", data=OTHER, all_stores_must_succeed=False
        )
        self.assertIn("not what was signed", self.failed(image))

    def test_what_cannot_be_verified_fails_at_once(self):
        other = self.keys.add(EC_KEY)
        for values, reason in (
            ({"img_signature_certificate_uuid": OTHER_ID}, OTHER_ID),
            ({"img_signature_certificate_uuid": other}, "RSA-PSS"),
            ({"img_signature_hash_method": "MD5"}, "MD5"),
        ):
            self.assertIn(reason, self.failed(self.import_staged(self.create_signed(**values))))

    def test_an_image_whose_import_failed_can_be_imported_with_the_right_data(self):
        image = self.import_staged(self.create_signed(), data=OTHER)
        self.failed(image)
        self.assertEqual("active", self.import_staged(image.id).status)

    def test_a_key_manager_that_is_away_brings_another_attempt(self):
        image_id = self.create_signed()
        self.stage(image_id)
        self.request(image_id, "disk", "fast")
        self.keys.go_away()
        self.run_jobs()
        self.assertEqual("pending", self.task(image_id).state)
        self.assertEqual({"staging": 1}, self.kept())
        self.keys.come_back()
        self.run_to_the_end()
        self.assertEqual(("active", "success"), (self.image(image_id).status, self.task(image_id).state))

    def test_a_key_manager_that_stays_away_fails_the_import(self):
        self.keys.go_away()
        image = self.import_staged(self.create_signed())
        self.assertEqual(("queued", {}), (image.status, self.kept()))
        self.assertIn("key manager", self.task(image.id).message)

    def test_the_properties_at_the_time_of_the_run_count(self):
        image_id = self.create_signed()
        self.stage(image_id, OTHER)
        self.request(image_id)
        self.change(image_id, img_signature=sign(OTHER))
        self.run_to_the_end()
        self.assertEqual("active", self.image(image_id).status)

    def test_another_attempt_verifies_again(self):
        image_id = self.create_signed()
        self.stage(image_id)
        self.request(image_id, "fast", "disk")
        error = Interrupted(self.job_types["api_image_import"], checks=3, error=OSError("it may pass"))
        self.worker(api_image_import=error).run_one()
        self.assertEqual((True, "pending"), (error.is_interrupted, self.task(image_id).state))
        self.change(image_id, img_signature=sign(OTHER))
        self.run_to_the_end()
        self.assertEqual("queued", self.image(image_id).status)
        self.assertIn("not what was signed", self.task(image_id).message)
        self.assertEqual({}, self.kept())

    def test_a_copy_is_of_data_that_was_verified_or_never_had_to_be(self):
        image_id = self.create()
        self.upload(image_id)
        self.change(image_id, **signed(OTHER, self.certificate_id))
        self.keys.go_away()
        self.assertEqual(DATA, self.data_of(self.run_import(image_id, "fast", name="copy-image"), "fast"))

    def test_an_unsigned_image_needs_no_key_manager(self):
        self.keys.go_away()
        properties = signed(OTHER, self.certificate_id)
        del properties["img_signature_key_type"]
        self.assertEqual("active", self.import_staged(self.create(properties=properties)).status)


class TestOtherService(SignedCase):
    def download(self, data):
        """Return a new image with ``data`` of another image service, where it is signed."""
        client = Downloads.from_config(self.application.conf)
        methods = {"glance-download": GlanceDownload(client, ("img_",))}
        self.job_types["api_image_import"] = self.import_job(None, methods)
        formats = {"disk_format": "raw", "container_format": "bare"}
        record = {"id": OTHER_ID, "status": "active", "size": len(data), **formats}
        record |= signed(DATA, self.certificate_id)
        self.server.asked.clear()
        self.server.answers = (response(json.dumps(record).encode()), response(data))
        method = {"glance_region": "north", "glance_image_id": OTHER_ID, "endpoint": self.server.url("")}
        return self.run_import(self.create(), "disk", "fast", name="glance-download", method=method)

    def test_an_image_that_is_signed_where_it_comes_from_is_verified(self):
        image = self.download(DATA)
        self.assertEqual("active", image.status, self.task(image.id).message)
        self.assertEqual(self.certificate_id, image.properties["img_signature_certificate_uuid"])
        self.call_delete(image.id)
        self.assertIn("not what was signed", self.failed(self.download(OTHER)))


class TestPlugins(SignedCase):
    plugins = (ImageDecompression(64 * BLOCK),)

    def test_the_signature_is_that_of_the_data_before_it_was_changed(self):
        packed = gzip.compress(DATA)
        for bring in (self.import_staged, self.import_from_web):
            image = bring(self.create_signed(packed), "disk", "fast", data=packed)
            self.assertEqual(("active", len(DATA)), (image.status, image.size), self.task(image.id).message)
            self.assertEqual([DATA] * 2, [self.data_of(image, store) for store in ("disk", "fast")])

    def test_data_that_was_not_signed_is_not_even_unpacked(self):
        bad = gzip.compress(DATA)[:-1]
        for bring in (self.import_staged, self.import_from_web):
            image = bring(self.create_signed(), "disk", "fast", data=bad)
            self.assertIn("not what was signed", self.failed(image))

    def test_data_that_no_plugin_changes_is_verified(self):
        for bring in (self.import_staged, self.import_from_web):
            image = bring(self.create_signed())
            self.assertEqual("active", image.status, self.task(image.id).message)
            self.call_delete(image.id)
            self.assertIn("not what was signed", self.failed(bring(self.create_signed(), data=OTHER)))


class TestInjection(SignedCase):
    token = ""

    def settings(self):
        settings = super().settings()
        injected = {"img_signature_certificate_uuid": self.certificate_id, "img_signature_key_type": "RSA-PSS"}
        self.plugins = (ImageDecompression(64 * BLOCK), InjectMetadata(injected, ()))
        return settings

    def test_properties_that_are_injected_count(self):
        packed = gzip.compress(DATA)
        own = {"img_signature": sign(packed), "img_signature_hash_method": "SHA-256"}
        image = self.import_staged(self.create(properties=own), "disk", "fast", data=packed)
        self.assertEqual(("active", len(DATA)), (image.status, image.size), self.task(image.id).message)
        self.call_delete(image.id)
        other = gzip.compress(OTHER)
        image = self.import_staged(self.create(properties=own), "disk", "fast", data=other)
        self.assertIn("not what was signed", self.failed(image))
        self.assertNotIn("img_signature_key_type", image.properties)


class TestTokens(SignedCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))

    def get(self, path):
        """Return the text of an answer to an administrator."""
        answer = Request.blank(path, headers={"X-Auth-Token": "admin"}).get_response(self.application.app)
        self.assertEqual(200, answer.status_int)
        return answer.text

    def test_the_token_is_kept_as_long_as_the_job_and_shown_nowhere(self):
        for data in (DATA, OTHER):
            image_id = self.create_signed()
            self.stage(image_id, data)
            job = self.request(image_id)
            self.assertEqual(TOKEN, self.services.data.run(GetJob(job.id)).token)
            for _ in range(2):
                for path in (f"/v2/tasks/{job.id}", f"/v2/images/{image_id}/tasks", f"/v2/images/{image_id}"):
                    self.assertNotIn(TOKEN, self.get(path))
                self.run_jobs()
            self.assertIsNone(self.services.data.run(GetJob(job.id)).token)
        self.assertNotIn(TOKEN, repr(self.application.events()))
        self.assertNotIn(TOKEN, self.log.output)

    def test_a_token_that_the_key_manager_refuses_is_in_no_message(self):
        self.caller = replace(self.caller, auth_token="sEcReT2")
        image = self.import_staged(self.create_signed())
        self.assertEqual(("queued", "failure"), (image.status, self.task(image.id).state))
        self.assertNotIn("sEcReT2", self.get(f"/v2/tasks/{self.task(image.id).id}") + self.log.output)
