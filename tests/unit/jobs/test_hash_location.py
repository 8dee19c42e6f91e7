"""Locations that were added by their address and are read afterwards."""

import hashlib

from glance_mini.content.hashes import ImageHashes
from glance_mini.domain.errors import Invalid
from glance_mini.domain.job import JobQuery
from glance_mini.jobs.hash_location import LocationJob
from glance_mini.operations.locations import AddLocation
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.samples import make_context
from tests.unit.jobs.support import DATA, SHA256, ImportCase, Interrupted
from tests.unit.store.web import Page, WebServer

SHA1 = hashlib.sha1(DATA, usedforsecurity=False).hexdigest()


class LocationCase(ImportCase):
    def setUp(self):
        super().setUp()
        self.web = self.useFixture(WebServer())
        self.web.pages["/disk"] = Page(DATA)

    def add(self, **hashes):
        """Return the id of an image that got the location of ``/disk``."""
        image_id = self.create()
        self.call(AddLocation(image_id, url=self.web.url("/disk"), **hashes))
        return image_id


class TestReadLocations(LocationCase):
    def test_data_with_the_hash_that_was_claimed_makes_the_image_active(self):
        image_id = self.add(hash_algorithm="sha1", hash_value=SHA1.upper())
        self.assertEqual("importing", self.image(image_id).status)
        self.run_to_the_end()
        image = self.image(image_id)
        self.assertEqual(("active", len(DATA)), (image.status, image.size))
        self.assertEqual(hashlib.md5(DATA).hexdigest(), image.checksum)
        self.assertEqual(("sha1", SHA1), (image.os_hash_algo, image.os_hash_value))
        web = self.stores.get("web").trusting()
        self.assertEqual(DATA, b"".join(web.read(image.locations[0].url)))
        self.assertNotIn("os_glance_import_task", image.properties)
        self.assertEqual("success", self.task(image_id).state)

    def test_data_with_another_hash_is_no_data_of_the_image(self):
        image_id = self.add(hash_algorithm="sha1", hash_value="ab" * 20)
        self.run_to_the_end()
        image = self.image(image_id)
        self.assertEqual(("queued", (), None), (image.status, image.locations, image.os_hash_value))
        self.assertNotIn("os_glance_import_task", image.properties)
        self.assertEqual("failure", self.task(image_id).state)
        self.assertIn("sha1", self.task(image_id).message)

    def test_an_image_without_a_claimed_hash_is_active_at_once_and_gets_its_hashes_later(self):
        image_id = self.add()
        image = self.image(image_id)
        self.assertEqual(("active", None), (image.status, image.os_hash_value))
        self.run_to_the_end()
        image = self.image(image_id)
        self.assertEqual(("active", SHA256, len(DATA)), (image.status, image.os_hash_value, image.size))
        self.assertEqual(hashlib.md5(DATA).hexdigest(), image.checksum)
        self.assertNotIn("os_glance_import_task", image.properties)

    def test_an_image_whose_data_cannot_be_read_stays_active_without_a_hash(self):
        image_id = self.add()
        del self.web.pages["/disk"]
        self.run_to_the_end()
        image = self.image(image_id)
        self.assertEqual(("active", None, 1), (image.status, image.os_hash_value, len(image.locations)))
        self.assertEqual("failure", self.task(image_id).state)
        self.assertNotIn("os_glance_import_task", image.properties)

    def test_an_image_that_is_deleted_meanwhile_stays_deleted(self):
        for hashes in ({}, {"hash_algorithm": "sha1", "hash_value": SHA1}):
            image_id = self.add(**hashes)
            interrupted = Interrupted(self.job_types["location_import"], 2)
            interrupted.stop = lambda image_id=image_id: self.call_delete(image_id)
            self.worker(location_import=interrupted).run_one()
            self.run_to_the_end()
            self.assertEqual("failure", self.services.data.run(ListTasks(JobQuery(image_id=image_id))).jobs[0].state)

    def test_a_server_that_fails_is_asked_again(self):
        image_id = self.add(hash_algorithm="sha1", hash_value=SHA1)
        self.web.pages["/disk"].status = 503
        self.run_jobs()
        self.assertEqual(("pending", "importing"), (self.task(image_id).state, self.image(image_id).status))
        self.web.pages["/disk"].status = 200
        self.run_to_the_end()
        self.assertEqual("active", self.image(image_id).status)

    def test_no_more_is_read_than_was_announced(self):
        for hashes in ({}, {"hash_algorithm": "sha1", "hash_value": SHA1}):
            image_id = self.add(**hashes)
            self.web.pages["/disk"] = Page(DATA + b"more", claimed_length=len(DATA) if hashes else None)
            self.run_to_the_end()
            self.assertEqual("failure", self.task(image_id).state)
            self.assertIn(f"more than the {len(DATA)} bytes", self.task(image_id).message)
            self.assertIsNone(self.image(image_id).os_hash_value)
            self.web.pages["/disk"] = Page(DATA)


class TestServiceTokens(LocationCase):
    def test_worker_reads_where_a_service_token_let_the_caller_name_a_location(self):
        self.caller = make_context()
        self.assertRaises(Invalid, self.add)
        self.caller = make_context(service_roles=("service",))
        for hashes in ({}, {"hash_algorithm": "sha1", "hash_value": SHA1}):
            image_id = self.add(**hashes)
            self.run_to_the_end()
            image = self.image(image_id)
            self.assertEqual(("active", hashlib.md5(DATA).hexdigest()), (image.status, image.checksum))
            self.assertTrue(image.locations[0].is_trusted)


class TestBelievedLocations(LocationCase):
    def settings(self):
        return {"DEFAULT": {"do_secure_hash": "false"}}

    def test_what_was_claimed_is_believed_where_nothing_is_read(self):
        for hashes, value in (({}, None), ({"hash_algorithm": "sha1", "hash_value": "ab" * 20}, "ab" * 20)):
            image_id = self.add(**hashes)
            self.assertEqual(0, self.run_jobs())
            self.assertEqual(("active", value), (self.image(image_id).status, self.image(image_id).os_hash_value))


class TestAttempts(LocationCase):
    def settings(self):
        return {"DEFAULT": {"http_retries": 2, "hashing_algorithm": "sha256"}}

    def test_data_is_read_as_often_as_configured(self):
        conf, services = self.application.conf, self.services
        self.job_types["location_import"] = LocationJob.from_config(conf, services, self.stack)
        image_id = self.add()
        self.web.pages["/disk"].status = 503
        self.run_to_the_end()
        self.assertEqual(("failure", 2), ((task := self.task(image_id)).state, task.attempts))


class TestProgress(LocationCase):
    def test_the_task_says_how_much_was_read(self):
        image_id, messages = self.add(), []
        self.job_types["location_import"] = LocationJob(
            self.stack, self.stores, ImageHashes("sha256"), report_seconds=0
        )
        interrupted = Interrupted(self.job_types["location_import"], 4)
        interrupted.stop = lambda: messages.append(self.task(image_id).message)
        self.worker(location_import=interrupted).run_one()
        self.assertRegex(messages[0], r"^Read [1-9][0-9]? %$")
