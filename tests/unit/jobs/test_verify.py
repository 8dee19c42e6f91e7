"""The verification of stores: what it finds, what it repairs, and what it leaves alone."""

import hashlib
import os
import time
import uuid
from dataclasses import replace
from pathlib import Path

from glance_mini.domain.job import FAILURE, SUCCESS, VERIFY
from glance_mini.domain.verification import DAMAGED, FOUND, MISSING, REMOVED, REPAIRED, UNKNOWN, UNREADABLE
from glance_mini.jobs.verify import VerifyJob
from glance_mini.operations.data import UploadData
from glance_mini.operations.images import DeleteImage
from glance_mini.operations.jobs import CancelJob, GetJob
from glance_mini.operations.verification import BeginVerification, ListFindings, ListVerifications
from glance_mini.verification.schedule import begin_when_due, verify_job
from glance_mini.verification.settings import VerifyRequest, VerifySettings
from glance_mini_store import errors as store_errors
from tests.unit.jobs.support import DATA, ImportCase, Interrupted

OLD = time.time() - 7 * 24 * 3600
HURRY = VerifySettings()


class VerifyCase(ImportCase):
    """Images in ``disk`` (files) and ``fast`` (memory)."""

    def setUp(self):
        super().setUp()
        self.job_types[VERIFY] = self.job_type = self.make_job(HURRY)

    def make_job(self, settings):
        """Return the type of job, which saves its progress after each copy."""
        return VerifyJob(replace(self.services, data=self.data), settings, save_seconds=0)

    def stored(self, *stores):
        """Return a new image with data in the stores."""
        image_id = self.create()
        self.upload(image_id, stores[0])
        for store in stores[1:]:
            self.run_import(image_id, store, name="copy-image")
        return self.image(image_id)

    def path(self, image, store="disk"):
        """Return the file of an image."""
        (location,) = [each for each in image.locations if each.store == store]
        return Path(location.url.removeprefix("file://"))

    def begin(self, **values):
        """Begin a run and return its job."""
        return self.data.run(BeginVerification(verify_job(VerifyRequest(**values))))

    def verify(self, **values):
        """Run a verification to its end and return its counts that are not 0."""
        job = self.begin(**values)
        self.run_jobs()
        ended = self.data.run(GetJob(job.id))
        self.assertEqual(SUCCESS, ended.state, ended.message)
        self.assertEqual(ended.result, self.data.run(ListVerifications(1))[0].counts)
        return {name: count for name, count in ended.result.items() if count and name != "bytes"}

    def found(self):
        """Return store, kind and state of all findings."""
        return sorted((each.store, each.kind, each.state) for each in self.findings())

    def findings(self):
        return self.data.run(ListFindings(0, 100))

    def stray(self, name, data=b"stray", changed_at=OLD):
        """Put a file into ``disk`` that no image knows, and return its path."""
        path = self.folder / "disk" / name
        path.write_bytes(data)
        os.utime(path, (changed_at, changed_at))
        return path


def flip(path, position=1000):
    """Change one bit of a file."""
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


class TestFinding(VerifyCase):
    def test_good_copies_are_read_and_nothing_is_found(self):
        self.stored("disk", "fast")
        job = self.begin()
        self.run_jobs()
        counts = self.data.run(GetJob(job.id)).result
        self.assertEqual((2, 2, 2 * len(DATA)), (counts["copies"], counts["good"], counts["bytes"]))
        self.assertEqual((), self.findings())

    def test_flipped_bit_truncated_file_and_missing_object_are_found(self):
        flipped, cut, gone = self.stored("disk"), self.stored("disk"), self.stored("fast")
        flip(self.path(flipped))
        os.truncate(self.path(cut), len(DATA) - 1)
        self.stores.get("fast").driver.delete(gone.locations[0].url)
        self.assertEqual({"copies": 3, "damaged": 2, "missing": 1}, self.verify())
        found = {each.image_id: each for each in self.findings()}
        kinds = {image_id: (each.store, each.kind, each.state) for image_id, each in found.items()}
        expected = {flipped.id: ("disk", DAMAGED, FOUND), cut.id: ("disk", DAMAGED, FOUND)}
        self.assertEqual({**expected, gone.id: ("fast", MISSING, FOUND)}, kinds)
        self.assertIn("md5 and sha512", found[flipped.id].reason)
        self.assertIn(f"{len(DATA) - 1} bytes instead of {len(DATA)}", found[cut.id].reason)
        self.assertNotIn(str(self.folder), repr(self.findings()))

    def test_each_finding_is_an_event_and_a_figure(self):
        flip(self.path(self.stored("disk")))
        self.verify()
        (event,) = [each for each in self.application.events() if each.type.startswith("store.")]
        self.assertEqual(("store.damaged", "warn", "disk"), (event.type, event.priority, event.payload["store"]))
        metrics = self.services.metrics.export().decode()
        self.assertIn('glance_mini_verify_findings_total{kind="damaged",store="disk"} 1.0', metrics)
        self.assertIn('glance_mini_verify_copies_total{result="damaged",store="disk"} 1.0', metrics)
        self.assertIn(f'glance_mini_verify_bytes_total{{store="disk"}} {len(DATA) / 1e6}e+06', metrics)

    def test_store_that_does_not_answer_says_nothing_about_its_data(self):
        self.stored("fast", "disk")
        driver = self.stores.get("fast").driver
        driver.size = lambda location: raise_(store_errors.RemoteServiceUnavailable(reason="it is away"))
        self.assertEqual({"copies": 2, "good": 1, "unreadable": 1}, self.verify(repairs=True))
        self.assertEqual([("fast", UNREADABLE, FOUND)], self.found())

    def test_image_without_a_hash_is_compared_by_its_size(self):
        image = self.stored("disk")
        self.forget_hashes(image)
        flip(self.path(image))
        self.assertEqual({"copies": 1, "unhashed": 1}, self.verify())
        os.truncate(self.path(image), 5)
        self.assertEqual({"copies": 1, "damaged": 1}, self.verify(repairs=True))
        self.assertIn("no hash", self.findings()[0].reason)

    def forget_hashes(self, image):
        with self.application.backend.engine.connect() as connection:
            statement = "UPDATE images SET checksum = NULL, os_hash_value = NULL, os_hash_algo = NULL WHERE id = ?"
            connection.exec_driver_sql(statement, (image.id,))
            connection.commit()

    def test_one_store_and_a_sample_read_what_they_say(self):
        for _ in range(5):
            self.stored("disk", "fast")
        self.assertEqual({"copies": 5, "good": 5}, self.verify(store="fast"))
        self.assertEqual({"copies": 3, "good": 3}, self.verify(sample=3))
        self.assertEqual({"copies": 2, "good": 2}, self.verify(sample=2, store="disk"))
        job = self.begin(store="none")
        self.run_jobs()
        self.assertEqual(FAILURE, self.data.run(GetJob(job.id)).state)

    def test_what_is_good_again_is_forgotten_by_the_next_whole_run(self):
        image = self.stored("disk")
        flip(self.path(image))
        self.verify()
        flip(self.path(image))
        self.verify(sample=10)
        self.assertEqual(1, len(self.findings()))
        self.verify(store="fast")
        self.assertEqual(1, len(self.findings()))
        self.verify()
        self.assertEqual((), self.findings())

    def test_findings_beyond_the_limit_are_only_counted(self):
        self.job_types[VERIFY] = self.make_job(VerifySettings(most_findings=2))
        for _ in range(4):
            flip(self.path(self.stored("disk")))
        self.assertEqual({"copies": 4, "damaged": 4}, self.verify())
        self.assertEqual(2, len(self.findings()))


class TestRepair(VerifyCase):
    def test_broken_copy_is_replaced_by_a_good_one_of_another_store(self):
        for harm in (flip, lambda path: os.truncate(path, 3), Path.unlink):
            image = self.stored("disk", "fast")
            broken = self.path(image)
            harm(broken)
            counts = self.verify(repairs=True)
            self.assertEqual(1, counts["repaired"])
            after = self.image(image.id)
            self.assertEqual([each.store for each in image.locations], [each.store for each in after.locations])
            self.assertEqual(DATA, self.data_of(after, "disk"))
            self.assertNotEqual(broken, self.path(after))
            self.assertEqual((image.checksum, image.status), (after.checksum, after.status))
            self.remove_pending()
            self.assertFalse(broken.exists())
            self.assertEqual(DATA, self.download(image.id))
            self.call_delete(image.id)
        self.assertEqual({REPAIRED}, {each.state for each in self.findings()})
        self.assertEqual([], self.files("disk"))

    def test_two_broken_copies_are_told_and_both_are_kept(self):
        image = self.stored("disk", "slow")
        flip(self.path(image))
        flip(self.path(image, "slow"), 7)
        self.assertEqual({"copies": 2, "damaged": 2}, self.verify(repairs=True))
        self.assertEqual([("disk", DAMAGED, FOUND), ("slow", DAMAGED, FOUND)], self.found())
        self.assertTrue(all("Not repaired: From" in each.reason for each in self.findings()))
        self.assertEqual(image, self.image(image.id))
        self.remove_pending()
        self.assertEqual(
            ([self.path(image).name], [self.path(image, "slow").name]), (self.files("disk"), self.files("slow"))
        )

    def test_only_copy_is_never_touched(self):
        image = self.stored("disk")
        flip(self.path(image))
        self.verify(repairs=True)
        self.assertEqual(image, self.image(image.id))
        self.assertIn("no other copy", self.findings()[0].reason)

    def test_store_that_is_full_leaves_the_copy_as_it_is(self):
        image = self.stored("disk", "fast")
        flip(self.path(image))
        mend = self.fill("disk")
        self.assertEqual({"copies": 2, "good": 1, "damaged": 1}, self.verify(repairs=True))
        mend()
        self.assertEqual(image, self.image(image.id))
        self.assertEqual(1, len(self.files("disk")))

    def fill(self, store):
        driver = self.stores.get(store).driver
        whole = driver.write_uncached
        driver.write_uncached = lambda name, chunks, size: raise_(store_errors.StorageFull(reason="no room"))
        return lambda: setattr(driver, "write_uncached", whole)

    def test_image_that_is_deleted_during_its_repair_stays_deleted_and_leaves_nothing(self):
        image = self.stored("disk", "fast")
        flip(self.path(image))
        self.during_read("fast", lambda: self.call(DeleteImage(image.id)))
        self.verify(repairs=True)
        self.assertEqual({}, self.kept())
        self.assertEqual([], [each for each in self.findings() if each.state == REPAIRED])

    def test_copy_that_is_deleted_while_it_is_read_is_no_finding(self):
        image = self.stored("disk")
        self.during_read("disk", lambda: self.call(DeleteImage(image.id)))
        self.assertEqual({"copies": 1, "good": 1}, self.verify(repairs=True))
        other = self.stored("fast")
        self.before_size("fast", lambda: self.call(DeleteImage(other.id)))
        self.assertEqual({"copies": 1}, self.verify(repairs=True))
        self.assertEqual((), self.findings())

    def during_read(self, store, happen):
        """Let something happen at the first block that is read from a store."""
        driver = self.stores.get(store).driver
        read, seen = driver.read, []

        def watched(*arguments):
            for block in read(*arguments):
                if not seen:
                    seen.append(True)
                    happen()
                yield block

        driver.read = watched

    def before_size(self, store, happen):
        driver = self.stores.get(store).driver
        size, seen = driver.size, []

        def watched(location):
            if not seen:
                seen.append(True)
                happen()
            return size(location)

        driver.size = watched


class TestUnknown(VerifyCase):
    def test_object_that_no_image_knows_is_found_and_stays(self):
        self.stored("disk")
        self.stray(f"{uuid.uuid4()}")
        self.stray("notes.txt")
        self.assertEqual({"copies": 1, "good": 1, "unknown": 2}, self.verify(repairs=True))
        self.assertEqual([("disk", UNKNOWN, FOUND)] * 2, self.found())
        self.assertEqual(3, len(self.files("disk")))

    def test_only_old_leftovers_of_images_of_this_service_are_deleted_and_only_if_asked(self):
        image = self.stored("disk")
        stray = self.stray(f"{image.id}-0123abcd")
        kept = [
            self.stray(f"{image.id}-0123abce", changed_at=time.time() - 60),
            self.stray(f"{uuid.uuid4()}-0123abcd"),
            self.stray("notes.txt"),
            self.stray(f"{image.id}-00001"),
        ]
        self.assertEqual({"copies": 1, "good": 1, "unknown": 5}, self.verify())
        self.assertTrue(stray.exists())
        self.assertEqual({"copies": 1, "good": 1, "unknown": 5, "removed": 1}, self.verify(removes_unknown=True))
        self.assertFalse(stray.exists())
        self.assertTrue(all(path.exists() for path in (*kept, self.path(image))))
        self.assertEqual(4, self.found().count(("disk", UNKNOWN, FOUND)))
        self.assertEqual(1, self.found().count(("disk", UNKNOWN, REMOVED)))

    def test_data_of_an_import_that_goes_on_is_known(self):
        image_id = self.create()
        self.stage(image_id)
        self.request(image_id, "disk", "fast")
        self.stray(f"{image_id}-0123abcd-1")
        self.data.run(BeginVerification(verify_job(VerifyRequest(removes_unknown=True))))
        worker = self.worker(api_image_import=self.job_type)
        self.run_one_of(worker)
        self.assertEqual((), self.findings())
        self.assertEqual(1, len(self.files("disk")))

    def run_one_of(self, worker):
        worker._types = {VERIFY: self.job_type}
        worker._lanes = worker._make_lanes()
        self.assertTrue(worker.run_one())

    def test_upload_between_the_list_and_the_look_up_is_known(self):
        image_id = self.create()
        driver = self.stores.get("disk").driver
        listed = driver.list_objects

        def upload_first():
            self.call(UploadData(image_id, chunks=[DATA], size=len(DATA), store="disk"))
            return listed()

        driver.list_objects = upload_first
        self.assertEqual({}, self.verify(removes_unknown=True))
        self.assertEqual(DATA, self.download(image_id))

    def test_data_that_waits_for_its_deletion_and_data_in_the_trash_are_known(self):
        image = self.stored("disk", "fast")
        self.stores.get("fast").driver.delete = lambda location: raise_(
            store_errors.RemoteServiceUnavailable(reason="x")
        )
        self.call(DeleteImage(image.id))
        self.assertEqual({}, self.verify(removes_unknown=True))


class TestCheckpoint(VerifyCase):
    def test_run_goes_on_where_its_worker_died(self):
        images = [self.stored("disk") for _ in range(4)]
        flip(self.path(images[0]))
        flip(self.path(images[3]))
        job = self.begin()
        dying = Interrupted(self.job_type, 20, error=KeyboardInterrupt())
        self.assertRaises(KeyboardInterrupt, self.worker(**{VERIFY: dying}).run_one)
        self.assertTrue(dying.is_interrupted)
        before = self.data.run(GetJob(job.id)).checkpoint["counts"]["copies"]
        self.assertIn(before, (1, 2, 3))
        read = self.count_reads("disk")
        self.clock.move(1000)
        self.run_jobs()
        self.assertEqual(4 - before, len(read))
        self.assertEqual(4, self.data.run(GetJob(job.id)).result["copies"])
        self.assertEqual([("disk", DAMAGED, FOUND)] * 2, self.found())

    def count_reads(self, store):
        driver, read = self.stores.get(store).driver, []
        original = driver.read

        def counted(*arguments):
            read.append(arguments)
            return original(*arguments)

        driver.read = counted
        return read

    def test_death_in_the_middle_of_a_repair_leaves_nothing_and_the_next_run_repairs(self):
        image = self.stored("disk", "fast")
        flip(self.path(image))
        job = self.begin(repairs=True)
        # A killed process removes nothing: its half-written file is still there.
        stray = self.folder / "disk" / f".{image.id}-{job.id[:8]}-{image.locations[0].id}001.0123456789abcdef.part"
        driver = self.stores.get("disk").driver

        def die(name, chunks, size):
            next(iter(chunks))
            stray.write_bytes(b"half")
            raise KeyboardInterrupt

        driver.write_uncached, driver.discard = die, lambda name: None
        self.assertRaises(KeyboardInterrupt, self.worker().run_one)
        del driver.write_uncached, driver.discard
        self.assertTrue(stray.exists())
        self.clock.move(1000)
        self.run_jobs()
        self.assertFalse(stray.exists())
        after = self.image(image.id)
        self.assertEqual(DATA, self.data_of(after, "disk"))
        self.remove_pending()
        self.assertEqual([self.path(after).name], self.files("disk"))

    def test_cancelled_run_stops_and_lets_another_one_begin(self):
        self.stored("disk")
        job = self.begin()
        stop = Interrupted(self.job_type, 1, stop=lambda: self.data.run(CancelJob(job.id)))
        worker = self.worker(**{VERIFY: stop})
        worker.run_one()
        self.clock.move(1000)
        self.run_jobs()
        self.assertEqual(FAILURE, self.data.run(GetJob(job.id)).state)
        self.assertEqual({"copies": 1, "good": 1}, self.verify())


class TestSchedule(VerifyCase):
    def test_nothing_is_begun_without_an_interval(self):
        self.assertEqual(0, begin_when_due(self.data, VerifySettings.from_config(self.application.conf)))

    def test_run_is_begun_once_in_each_interval(self):
        self.application.conf.set_override("interval", 3600, group="verify")
        self.application.conf.set_override("repair", True, group="verify")
        settings = VerifySettings.from_config(self.application.conf)
        self.assertEqual([1, 0], [begin_when_due(self.data, settings) for _ in range(2)])
        self.run_jobs()
        self.assertEqual(0, begin_when_due(self.data, settings))
        self.clock.move(3601)
        self.assertEqual(1, begin_when_due(self.data, settings))

    def test_hash_of_the_test_data_is_that_of_the_images(self):
        self.assertEqual(hashlib.md5(DATA).hexdigest(), self.stored("disk").checksum)


def raise_(error):
    raise error
