"""Where the data of an import comes from, and what an image gets with it."""

import gzip
import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace

import testtools

from glance_mini.domain.errors import ConfigurationError, Unavailable
from glance_mini.domain.imports import METHOD_RULES, MethodRule
from glance_mini.imports.method_rules import load_method_rules
from glance_mini.imports.methods import NAMESPACE, GlanceDirect, ImportMethod, load_methods
from glance_mini.imports.plugins.decompression import ImageDecompression
from glance_mini.operations.jobs import CancelJob
from glance_mini.operations.records import GetStaged
from glance_mini.workers.base import JobType
from glance_mini_store.streams import BLOCK
from tests.unit.content.disk_images import qcow2
from tests.unit.entry_points import installed
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.jobs.support import Death, Dying, ImportCase

DISK = qcow2(size=48 * BLOCK)
OTHER_ID = "5b1cc7c5-7c0d-4c6e-9a2f-2f6d2b3c4d5e"
RECORD = {
    "id": OTHER_ID,
    "status": "active",
    "size": len(DISK),
    "disk_format": "qcow2",
    "container_format": "bare",
    "os_hash_algo": "sha512",
    "os_hash_value": hashlib.sha512(DISK).hexdigest(),
    "hw_disk_bus": "scsi",
    "color": "red",
}


class GlanceDownloadCase(ImportCase):
    def settings(self):
        self.server = self.useFixture(RawServer())
        return {
            "DEFAULT": {"enabled_import_methods": "glance-download"},
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port},
        }

    def download(self, record=RECORD, data=DISK, **values):
        """Return a new image with what the other image service gives."""
        # The answers are for the first request and the second.
        self.server.asked.clear()
        self.server.answers = (response(json.dumps(record).encode()), response(data))
        self.caller = replace(self.caller, auth_token="secret")
        method = {"glance_region": "north", "glance_image_id": OTHER_ID, "endpoint": self.server.url("")}
        return self.run_import(self.create(), name="glance-download", method=method, **values)


class TestGlanceDownload(GlanceDownloadCase):
    def test_the_image_gets_data_formats_and_chosen_properties(self):
        image = self.download()
        self.assertEqual(("active", "qcow2", "bare"), (image.status, image.disk_format, image.container_format))
        self.assertEqual((len(DISK), 48 * BLOCK), (image.size, image.virtual_size))
        self.assertEqual(("scsi", None), (image.properties.get("hw_disk_bus"), image.properties.get("color")))
        self.assertEqual(DISK, self.data_of(image, "disk"))

    def test_the_other_service_sees_the_token_of_the_caller_and_the_task_does_not_show_it(self):
        image = self.download()
        self.assertTrue(all("X-Auth-Token: secret" in head for head in self.server.asked))
        self.assertNotIn("secret", repr(self.task(image.id)))

    def test_an_image_that_failed_got_nothing(self):
        for record, data in (
            (RECORD | {"status": "queued"}, DISK),
            (RECORD | {"size": len(DISK) + 1}, DISK),
            (RECORD | {"os_hash_value": "a" * 128}, DISK),
        ):
            image = self.download(record, data)
            self.assertEqual(("queued", "raw", "bare"), (image.status, image.disk_format, image.container_format))
            self.assertNotIn("hw_disk_bus", image.properties)
            self.assertEqual(({}, "failure"), (self.kept(), self.task(image.id).state))


class TestGlanceDownloadWithPlugins(GlanceDownloadCase):
    plugins = (ImageDecompression(64 * BLOCK),)

    def test_data_is_compared_with_what_the_other_service_said_before_it_is_changed(self):
        packed = gzip.compress(DISK)
        record = RECORD | {"size": len(packed), "os_hash_value": hashlib.sha512(packed).hexdigest()}
        self.assertEqual(("active", len(DISK)), ((image := self.download(record, packed)).status, image.size))
        other = gzip.compress(DISK + b"x")
        image = self.download(record | {"size": len(other)}, other)
        self.assertEqual(("queued", "failure"), (image.status, self.task(image.id).state))


class TestMissingSources(ImportCase):
    def failure(self, image_id):
        """Return why the newest import of the image failed, at its first attempt."""
        self.run_jobs()
        task = self.task(image_id)
        self.assertEqual(("failure", 1), (task.state, task.attempts))
        return task.message

    def test_an_image_whose_data_is_nowhere_cannot_be_copied(self):
        image_id = self.create()
        self.upload(image_id, "fast")
        self.stores.get("fast").driver._data.clear()
        self.request(image_id, "cheap", name="copy-image")
        self.assertIn("in none of its locations", self.failure(image_id))
        self.assertEqual("active", self.image(image_id).status)

    def test_a_method_that_was_disabled_meanwhile_fails(self):
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id)
        self.job_types["api_image_import"] = self.import_job(None, methods={})
        self.assertIn("glance-direct", self.failure(image_id))
        self.assertEqual(("queued", {}), (self.image(image_id).status, self.kept()))


class TestStagedElsewhere(ImportCase):
    def settings(self):
        return {"DEFAULT": {"worker_self_reference_url": "http://node1:9292"}}

    def test_staged_data_is_imported_by_the_node_that_has_it_only(self):
        image_id = self.staged()
        self.assertEqual(0, self.run_jobs(self.elsewhere()))
        self.assertEqual(1, self.run_jobs())
        self.assertEqual(("active", {"disk": 1}), (self.image(image_id).status, self.kept()))

    def test_cancelled_import_of_a_node_that_is_gone_is_cleared_away_and_its_data_when_it_is_back(self):
        image_id = self.staged()
        dying = Dying(Failing())
        self.assertRaises(Death, self.worker(api_image_import=dying).run_one)
        self.data.run(CancelJob(self.task(image_id).id))
        self.clock.move(100)
        self.assertEqual(1, self.run_jobs(self.elsewhere()))
        self.assertEqual(("queued", {"staging": 1}), (self.image(image_id).status, self.kept()))
        self.assertIsNone(self.services.data.run(GetStaged(image_id)))
        self.remove_pending()
        self.assertEqual({}, self.kept())

    def test_node_that_cannot_have_the_data_waits_for_the_one_that_has(self):
        image_id = self.staged()
        method = GlanceDirect(self.stores, self.services.data, "http://node2:9292")
        job = self.task(image_id)
        error = self.assertRaises(Unavailable, method.open, job, None, self.image(image_id), None)
        self.assertIn("http://node1:9292", str(error))

    def staged(self):
        """Return the id of an image whose data is staged here and whose import was asked for."""
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id)
        return image_id

    def elsewhere(self):
        """Return a worker on another node."""
        host = "http://node2:9292"
        return self.worker(host, api_image_import=self.import_job(host))


class Failing(JobType):
    """Work that has done nothing yet."""

    def run(self, job, control):
        return {}


class ByPost(ImportMethod):
    name = "by-post"
    image_status = "uploading"
    fields = ("sender", "stamp")

    @classmethod
    def from_config(cls, conf, services):
        return cls()


class Telepathy(ByPost):
    name = "telepathy"
    image_status = "active"


class TestLoading(testtools.TestCase):
    """A method of another package beside those that come with the service."""

    def load(self, loader, *names):
        conf = SimpleNamespace(enabled_import_methods=list(names))
        with installed(NAMESPACE, ("by-post", f"{__name__}:ByPost"), ("telepathy", f"{__name__}:Telepathy")):
            return loader(conf)

    def methods(self, conf):
        return load_methods(conf, None)

    def test_a_worker_loads_the_methods_of_other_packages(self):
        self.assertIsInstance(self.load(self.methods, "by-post")["by-post"], ByPost)

    def test_the_api_learns_what_a_method_of_another_package_asks_for(self):
        rules = self.load(load_method_rules, "web-download", "by-post")
        self.assertEqual(MethodRule("uploading", ("sender", "stamp")), rules["by-post"])
        self.assertEqual(MethodRule("queued", (), ("uri",)), rules["web-download"])

    def test_the_api_loads_none_of_the_methods_that_come_with_the_service(self):
        # None of them is installed here, so loading one would be refused.
        self.assertEqual(METHOD_RULES, self.load(load_method_rules, *METHOD_RULES))

    def test_a_method_that_is_not_installed_stops_the_start_of_workers_and_of_the_api(self):
        for loader in (self.methods, load_method_rules):
            error = self.assertRaises(ConfigurationError, self.load, loader, "by-post", "by-pigeon")
            self.assertIn("enabled_import_methods names by-pigeon", str(error))

    def test_a_method_for_images_that_have_data_already_is_refused(self):
        error = self.assertRaises(ConfigurationError, self.load, load_method_rules, "telepathy")
        self.assertIn("telepathy is for active images", str(error))
