"""Imports to one store and to several, from the request to their end."""

import copy
import gzip
import hashlib

from glance_mini.imports.plugins.decompression import ImageDecompression
from glance_mini.imports.plugins.inject_metadata import InjectMetadata
from glance_mini.operations.records import GetStaged
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.streams import BLOCK, FILE_BLOCK
from tests.unit.content.disk_images import qcow2
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.jobs.support import DATA, SHA256, Death, Dying, ImportCase, Interrupted

DONE = (None, "", "")
FAILURE = store_errors.RemoteServiceUnavailable(reason="it is being moved")


class TestGlanceDirect(ImportCase):
    def test_staged_data_becomes_an_active_image(self):
        image = self.staged_import()
        self.assertEqual(("active", len(DATA), len(DATA)), (image.status, image.size, image.virtual_size))
        self.assertEqual(hashlib.md5(DATA).hexdigest(), image.checksum)
        self.assertEqual(("sha256", SHA256), (image.os_hash_algo, image.os_hash_value))
        self.assertEqual(DONE, self.progress(image))
        self.assertEqual(DATA, self.download(image.id))

    def test_the_task_shows_its_success(self):
        image = self.staged_import()
        task = self.task(image.id)
        self.assertEqual(("success", {"image_id": image.id}, ""), (task.state, task.result, task.message))

    def test_nothing_is_left_but_the_image(self):
        self.staged_import()
        self.assertEqual({"disk": 1}, self.kept())

    def test_a_store_on_the_same_file_system_takes_the_file_over_without_a_copy(self):
        image_id = self.create()
        self.stage(image_id)
        (staged,) = (path for path in (self.folder / "staging").rglob("*") if path.is_file())
        before = staged.stat().st_ino
        self.run_import(image_id)
        (stored,) = (path for path in (self.folder / "disk").rglob("*") if path.is_file())
        self.assertEqual((before, 1), (stored.stat().st_ino, stored.stat().st_nlink))

    def test_of_two_stores_on_the_same_file_system_one_gets_a_file_of_its_own(self):
        image = self.staged_import("disk", "slow")
        paths = [self.folder / name / self.files(name)[0] for name in ("disk", "slow")]
        self.assertEqual(2, len({path.stat().st_ino for path in paths}))
        self.assertEqual([DATA, DATA], [self.data_of(image, store) for store in ("disk", "slow")])

    def test_three_stores_get_the_same_data(self):
        image = self.staged_import("disk", "fast", "cheap")
        self.assertEqual(["disk", "fast", "cheap"], [each.store for each in image.locations])
        self.assertEqual([DATA] * 3, [self.data_of(image, store) for store in ("disk", "fast", "cheap")])
        self.assertEqual({"disk": 1, "fast": 1, "cheap": 1}, self.kept())
        self.assertEqual(("active", *DONE), (image.status, *self.progress(image)))

    def test_no_data_at_all_is_an_image(self):
        image = self.staged_import("disk", "fast", data=b"")
        self.assertEqual(("active", 0), (image.status, image.size))

    def test_staged_data_that_has_vanished_fails_the_import_at_once(self):
        image_id = self.create()
        self.stage(image_id)
        (staged,) = (path for path in (self.folder / "staging").rglob("*") if path.is_file())
        staged.unlink()
        self.request(image_id)
        self.run_jobs()
        task = self.task(image_id)
        self.assertEqual(("failure", "The staged data is gone."), (task.state, task.message))
        self.assertEqual("queued", self.image(image_id).status)
        self.assertIsNone(self.services.data.run(GetStaged(image_id)))

    def test_an_image_whose_import_failed_can_be_staged_and_imported_again(self):
        image = self.staged_import(expected_hashes={"sha256": "0" * 64})
        self.stage(image.id)
        self.assertEqual("active", self.run_import(image.id).status)


class TestJudgement(ImportCase):
    def refused(self, image):
        """Return why the import of ``image`` failed, once it has left nothing behind."""
        self.assertEqual(("queued", None, None, ()), (image.status, image.size, image.checksum, image.locations))
        self.assertEqual({}, self.kept())
        task = self.task(image.id)
        self.assertEqual(("failure", None), (task.state, task.result))
        return task.message

    def test_data_with_the_expected_hashes_is_imported(self):
        expected = {"sha256": SHA256.upper(), "md5": hashlib.md5(DATA).hexdigest()}
        self.assertEqual("active", self.staged_import("disk", "fast", expected_hashes=expected).status)

    def test_data_with_another_hash_is_refused(self):
        expected = {"md5": hashlib.md5(DATA).hexdigest(), "sha1": "ab" * 20}
        for stores in (("disk",), ("fast",), ("slow", "disk", "cheap")):
            message = self.refused(self.staged_import(*stores, expected_hashes=expected))
            self.assertIn("sha1", message)
            self.assertIn("ab" * 20, message)

    def test_a_disk_that_names_another_file_is_refused(self):
        image_id = self.create(disk_format="qcow2")
        self.stage(image_id, qcow2(backing_file="/etc/passwd"))
        image = self.run_import(image_id, "disk", "fast")
        self.assertIn("backing_file", self.refused(image))
        self.assertEqual((None, "", "disk,fast"), self.progress(image))

    def test_a_disk_is_as_large_as_its_header_says(self):
        image_id = self.create(disk_format="qcow2")
        self.stage(image_id, qcow2(size=48 * BLOCK))
        self.assertEqual(48 * BLOCK, self.run_import(image_id).virtual_size)


class TestLimits(ImportCase):
    def settings(self):
        return {"DEFAULT": {"user_storage_quota": str(len(DATA) * 3 // 2)}}

    def test_an_import_beyond_the_quota_is_undone(self):
        image = self.staged_import("disk", "fast")
        self.assertEqual(("queued", ()), (image.status, image.locations))
        self.assertEqual(("failure", 1), ((task := self.task(image.id)).state, task.attempts))
        self.assertIn(str(len(DATA) * 3 // 2), task.message)
        self.remove_pending()
        self.assertEqual({}, self.kept())
        self.assertEqual("active", self.staged_import("disk").status)


class TestOneStore(ImportCase):
    def settings(self):
        return {
            "DEFAULT": {"enabled_backends": None},
            "glance_store": {
                "default_backend": None,
                "stores": "file,http",
                "default_store": "file",
                "filesystem_store_datadir": self.folder / "disk",
            },
        }

    def kept(self):
        return {name: len(self.files(name)) for name in ("disk", "staging") if self.files(name)}

    def test_a_location_names_no_store_where_there_is_only_one(self):
        image = self.staged_import()
        self.assertEqual(("active", [None]), (image.status, [each.store for each in image.locations]))
        self.assertEqual(DONE, self.progress(image))

    def test_what_a_dead_worker_has_recorded_is_not_imported_again(self):
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id)
        self.assertRaises(Death, self.worker(api_image_import=Dying(self.job_types["api_image_import"])).run_one)
        self.run_to_the_end()
        self.assertEqual("success", self.task(image_id).state)
        self.assertEqual(1, len(self.image(image_id).locations))
        self.assertEqual({"disk": 1}, self.kept())


class TestWebDownload(ImportCase):
    def settings(self):
        self.server = self.useFixture(RawServer(response(DATA)))
        return {"import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port}}

    def download_from(self, *stores, path="/disk.raw", **values):
        """Return a new image with what the server gives."""
        return self.run_import(
            self.create(), *stores, name="web-download", method={"uri": self.server.url(path)}, **values
        )

    def test_what_the_server_gives_becomes_an_active_image(self):
        image = self.download_from("slow", "fast")
        self.assertEqual(("active", len(DATA), SHA256), (image.status, image.size, image.os_hash_value))
        self.assertEqual([DATA, DATA], [self.data_of(image, store) for store in ("slow", "fast")])
        self.assertEqual({"slow": 1, "fast": 1}, self.kept())
        self.assertEqual(1, len(self.server.asked))

    def test_what_the_server_refuses_fails_the_import(self):
        self.server.answers = (response(status="404 Not Found"),)
        image = self.download_from()
        self.assertEqual(("queued", (None, "", "disk")), (image.status, self.progress(image)))
        self.assertIn("404", self.task(image.id).message)
        self.assertEqual(1, self.task(image.id).attempts)

    def test_what_may_pass_brings_another_attempt(self):
        image_id = self.create()
        self.request(image_id, name="web-download", method={"uri": self.server.url()})
        control = Interrupted(self.job_types["api_image_import"], checks=2, error=FAILURE)
        self.worker(api_image_import=control).run_one()
        self.assertEqual("pending", self.task(image_id).state)
        self.run_to_the_end()
        self.assertEqual("active", self.image(image_id).status)
        self.assertEqual({"disk": 1}, self.kept())


class TestCopyImage(ImportCase):
    def setUp(self):
        super().setUp()
        self.image_id = self.create()
        self.upload(self.image_id)

    def copy(self, *stores, **values):
        """Return the image after its data was copied."""
        return self.run_import(self.image_id, *stores, name="copy-image", **values)

    def test_the_copy_is_a_further_location_of_the_same_image(self):
        image = self.copy("fast", "slow")
        self.assertEqual(["disk", "fast", "slow"], [each.store for each in image.locations])
        self.assertEqual([DATA] * 3, [self.data_of(image, each.store) for each in image.locations])
        self.assertEqual(("active", *DONE), (image.status, *self.progress(image)))

    def test_a_copy_that_cannot_be_made_leaves_the_image_as_it_was(self):
        before = self.image(self.image_id)
        self.break_store("cheap")
        image = self.copy("fast", "cheap")
        self.assertEqual(("active", before.locations), (image.status, image.locations))
        self.assertEqual((None, "", "fast,cheap"), self.progress(image))
        self.assertEqual({"disk": 1}, self.kept())

    def test_data_that_was_changed_in_its_store_is_not_copied(self):
        (stored,) = (path for path in (self.folder / "disk").rglob("*") if path.is_file())
        stored.write_bytes(b"x" * len(DATA))
        image = self.copy("fast")
        self.assertEqual(["disk"], [each.store for each in image.locations])
        self.assertEqual("failure", self.task(image.id).state)

    def test_a_location_that_has_lost_its_data_is_passed_over(self):
        self.copy("fast")
        (stored,) = (path for path in (self.folder / "disk").rglob("*") if path.is_file())
        stored.unlink()
        self.assertEqual(DATA, self.data_of(self.copy("cheap"), "cheap"))


class KnowsProjects(MemoryDriver):
    """Notes for which project each call is."""

    capabilities = MemoryDriver.capabilities | {capabilities.ACL}

    def __init__(self, store_id):
        super().__init__(store_id)
        self.calls = set()
        self.project = None

    def for_caller(self, caller):
        other = copy.copy(self)
        other.project = caller.project_id
        return other

    def write(self, name, chunks, size=None):
        self.calls.add(("write", self.project))
        return super().write(name, chunks, size)

    def discard(self, name):
        self.calls.add(("discard", self.project))
        super().discard(name)

    def set_acl(self, location, public, readers):
        self.calls.add(("set_acl", self.project))


class TestStoresThatKnowProjects(ImportCase):
    """The data is of the project that owns the image, also when an administrator of another one imports it."""

    def setUp(self):
        super().setUp()
        self.driver = self.stores.get("fast").driver = KnowsProjects("fast")

    def test_data_is_written_for_the_owner_and_gets_its_access_list(self):
        for owner in ("somebody", self.caller.project_id):
            image_id = self.create(owner=owner)
            self.stage(image_id)
            self.assertEqual("active", self.run_import(image_id, "fast").status)
            self.assertEqual({("write", owner), ("set_acl", owner)}, self.driver.calls)
            self.driver.calls.clear()

    def test_remains_are_looked_for_there_also_when_the_image_is_gone(self):
        image_id = self.create(owner="somebody")
        self.stage(image_id)
        self.request(image_id, "fast")
        failing = Interrupted(self.job_types["api_image_import"], checks=3, error=FAILURE)
        self.worker(api_image_import=failing).run_one()
        self.call_delete(image_id)
        self.run_to_the_end()
        self.assertIn(("discard", "somebody"), self.driver.calls)
        self.assertEqual({"somebody"}, {project for _, project in self.driver.calls})


class TestFailingStores(ImportCase):
    def test_one_failing_store_undoes_all_where_all_must_succeed(self):
        for broken in ("disk", "fast"):
            restore = self.break_store(broken)
            image = self.staged_import("disk", "fast")
            self.assertEqual(("queued", ()), (image.status, image.locations))
            self.assertEqual((None, "", "disk,fast"), self.progress(image))
            self.assertEqual({}, self.kept())
            self.assertIn(broken, self.task(image.id).message)
            restore()

    def test_one_failing_store_is_listed_where_one_is_enough(self):
        for broken, works in (("disk", "fast"), ("fast", "disk")):
            restore = self.break_store(broken)
            image = self.staged_import("disk", "fast", all_stores_must_succeed=False)
            self.assertEqual(("active", [works]), (image.status, [each.store for each in image.locations]))
            self.assertEqual((None, "", broken), self.progress(image))
            self.assertEqual("success", self.task(image.id).state)
            restore()

    def test_two_of_three_failing_stores_undo_all_where_all_must_succeed(self):
        self.break_store("fast")
        self.break_store("cheap")
        image = self.staged_import("disk", "fast", "cheap")
        self.assertEqual(("queued", ()), (image.status, image.locations))
        self.assertEqual((None, "", "disk,fast,cheap"), self.progress(image))
        self.assertEqual({}, self.kept())

    def test_a_store_that_failed_in_an_earlier_attempt_is_not_at_fault_for_the_last_one(self):
        restore = self.break_store("fast", FAILURE)
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id, "disk", "fast")
        self.worker().run_one()
        self.assertEqual("pending", self.task(image_id).state)
        restore()
        (staged,) = (path for path in (self.folder / "staging").rglob("*") if path.is_file())
        staged.unlink()
        self.run_to_the_end()
        self.assertEqual((None, "", "disk,fast"), self.progress(self.image(image_id)))

    def test_import_whose_attempts_all_fail_names_all_stores_that_were_asked_for(self):
        self.break_store("fast", FAILURE)
        image = self.staged_import("disk", "fast")
        self.assertEqual(("failure", 5), ((task := self.task(image.id)).state, task.attempts))
        self.assertEqual(("queued", (None, "", "disk,fast")), (image.status, self.progress(image)))

    def test_two_of_three_failing_stores_are_listed_where_one_is_enough(self):
        self.break_store("disk")
        self.break_store("cheap")
        image = self.staged_import("disk", "fast", "cheap", all_stores_must_succeed=False)
        self.assertEqual(("active", ["fast"]), (image.status, [each.store for each in image.locations]))
        self.assertEqual((None, "", "disk,cheap"), self.progress(image))
        self.assertEqual({"fast": 1}, self.kept())

    def test_where_one_is_enough_and_none_works_the_image_is_queued(self):
        for store in ("disk", "fast"):
            self.break_store(store)
        image = self.staged_import("disk", "fast", all_stores_must_succeed=False)
        self.assertEqual(("queued", (None, "", "disk,fast")), (image.status, self.progress(image)))
        self.assertEqual("failure", self.task(image.id).state)

    def test_a_store_that_cannot_be_reached_is_tried_again(self):
        restore = self.break_store("fast", FAILURE)
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id, "disk", "fast")
        self.worker().run_one()
        self.assertEqual(("pending", "importing"), (self.task(image_id).state, self.image(image_id).status))
        restore()
        self.run_to_the_end()
        self.assertEqual("active", self.image(image_id).status)
        self.assertEqual({"disk": 1, "fast": 1}, self.kept())


class TestOneStoreAfterTheOther(ImportCase):
    at_once = 1

    def settings(self):
        self.server = self.useFixture(RawServer(response(DATA)))
        return {"import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port}}

    def download(self, *stores, **values):
        return self.run_import(self.create(), *stores, name="web-download", method={"uri": self.server.url()}, **values)

    def test_one_download_is_enough_for_all_stores(self):
        image = self.download("fast", "disk", "cheap")
        self.assertEqual(("active", *DONE), (image.status, *self.progress(image)))
        self.assertEqual([DATA] * 3, [self.data_of(image, store) for store in ("fast", "disk", "cheap")])
        self.assertEqual(1, len(self.server.asked))

    def test_staged_data_is_taken_over_and_read_for_the_others(self):
        image = self.staged_import("disk", "fast", "slow")
        self.assertEqual([DATA] * 3, [self.data_of(image, store) for store in ("disk", "fast", "slow")])
        self.assertEqual({"disk": 1, "fast": 1, "slow": 1}, self.kept())

    def test_one_failing_store_undoes_all_where_all_must_succeed(self):
        for broken in ("disk", "fast", "cheap"):
            restore = self.break_store(broken)
            for image in (self.download("fast", "disk", "cheap"), self.staged_import("fast", "disk", "cheap")):
                self.assertEqual(("queued", ()), (image.status, image.locations))
                self.assertEqual(((None, "", "fast,disk,cheap"), {}), (self.progress(image), self.kept()))
            restore()

    def test_failing_stores_are_listed_where_one_is_enough(self):
        stores = ("fast", "disk", "cheap")
        for broken in (("fast",), ("cheap",), ("fast", "disk"), ("disk", "cheap")):
            mending = [self.break_store(store) for store in broken]
            image = self.download(*stores, all_stores_must_succeed=False)
            works = [store for store in stores if store not in broken]
            self.assertEqual(("active", works), (image.status, [each.store for each in image.locations]))
            self.assertEqual((None, "", ",".join(broken)), self.progress(image))
            for mend in mending:
                mend()
            self.call_delete(image.id)
            self.assertEqual({}, self.kept())

    def test_where_one_is_enough_and_none_works_the_image_is_queued(self):
        for store in ("disk", "fast"):
            self.break_store(store)
        image = self.download("disk", "fast", all_stores_must_succeed=False)
        self.assertEqual(("queued", (None, "", "disk,fast")), (image.status, self.progress(image)))


class TestProgress(ImportCase):
    report_seconds = 0

    def settings(self):
        self.server = self.useFixture(RawServer(response(DATA)))
        return {"import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port}}

    def messages(self, image_id):
        """Return what the task said on the way, up to the last block of the data."""
        messages = []

        class Listening(Interrupted):
            def run(listening, job, control):
                report = control.report_progress
                control.report_progress = lambda text: (report(text), messages.append(self.task(image_id).message))
                return listening._job_type.run(job, control)

        job_type = Listening(self.job_types["api_image_import"], checks=0)
        self.worker(api_image_import=job_type).run_one()
        self.assertEqual("success", self.task(image_id).state)
        return messages

    def test_the_task_shows_all_methods_in_percent(self):
        def percent(block):
            ends = [*range(block, len(DATA), block), len(DATA)]
            return [f"Copied {100 * end // len(DATA)} %" for end in ends]

        staged, downloaded = self.create(), self.create()
        self.stage(staged)
        self.request(staged, "fast")
        self.assertEqual(percent(FILE_BLOCK), self.messages(staged))
        self.request(downloaded, "fast", name="web-download", method={"uri": self.server.url()})
        self.assertEqual(percent(BLOCK), self.messages(downloaded))
        self.request(staged, "cheap", name="copy-image")
        self.assertEqual("Copied 100 %", self.messages(staged)[-1])


class TestProgressOfPlugins(TestProgress):
    plugins = (ImageDecompression(64 * BLOCK),)

    def test_the_task_shows_all_methods_in_percent(self):
        image_id = self.create()
        self.request(image_id, "fast", name="web-download", method={"uri": self.server.url()})
        messages = self.messages(image_id)
        self.assertEqual(["Fetched 33 %", "Fetched 66 %", "Fetched 99 %", "Fetched 100 %", "Unpacking"], messages[:5])
        self.assertEqual("Copied 100 %", messages[-1])


class TestPlugins(ImportCase):
    plugins = (ImageDecompression(64 * BLOCK), InjectMetadata({"distro": "mini"}, ()))

    def test_data_passes_the_plugins_in_their_order(self):
        image_id = self.create()
        self.stage(image_id, gzip.compress(DATA))
        image = self.run_import(image_id, "disk", "fast")
        self.assertEqual(("active", len(DATA), SHA256), (image.status, image.size, image.os_hash_value))
        self.assertEqual("mini", image.properties["distro"])
        self.assertEqual([DATA, DATA], [self.data_of(image, store) for store in ("disk", "fast")])
        self.assertEqual({"disk": 1, "fast": 1}, self.kept())

    def test_data_that_no_plugin_changes_is_taken_over_all_the_same(self):
        image = self.staged_import()
        self.assertEqual({"disk": 1}, self.kept())
        self.assertEqual(DATA, self.download(image.id))

    def test_an_archive_that_becomes_too_large_is_refused(self):
        image_id = self.create()
        self.stage(image_id, gzip.compress(bytes(self.size_cap + 1)))
        image = self.run_import(image_id)
        self.assertEqual(("queued", "failure"), (image.status, self.task(image_id).state))
        self.assertEqual({}, self.kept())

    def test_a_copy_passes_no_plugin(self):
        image_id = self.create()
        packed = gzip.compress(DATA)  # the time stands in it: never twice the same
        self.upload(image_id, data=packed)
        image = self.run_import(image_id, "fast", name="copy-image")
        self.assertEqual(packed, self.data_of(image, "fast"))
        self.assertNotIn("distro", image.properties)
