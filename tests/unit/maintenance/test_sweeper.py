"""What killed processes have left on a node goes, and nothing else does."""

import os
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import fixtures
import testtools

from glance_mini.domain.errors import Unavailable
from glance_mini.domain.image import Location
from glance_mini.domain.staging import STAGING_STORE, StagedData
from glance_mini.domain.transfer import Transfer
from glance_mini.maintenance.expiry import Cleaner
from glance_mini.maintenance.sweeper import BATCH, sweep_staging, sweep_work
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob, ReleaseJob
from glance_mini.operations.records import (
    AbortTransfer,
    BeginTransfer,
    DiscardStaged,
    FinishRemoval,
    ListRemovals,
    RecordStaged,
)
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import TIME, make_image
from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from tests.unit.layers.support import make_database
from tests.unit.workers.support import WAIT, make_job, open_data

AT_ONCE, LEASE, KEEP = timedelta(0), timedelta(seconds=60), timedelta(hours=48)


class TestStaging(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.data = make_database(self)
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.store = Store(FileDriver(str(self.directory)), STAGING_STORE, reserved=True)

    def test_what_no_row_knows_is_removed_drafts_included(self):
        self.write(self.name())
        self.draft(self.name())
        self.assertEqual(2, self.sweep())
        self.assertEqual([], self.files())

    def test_what_another_service_has_staged_in_the_same_directory_stays(self):
        self.write(_name())
        self.draft(_name())
        self.assertEqual(0, self.sweep())
        self.assertEqual(2, len(self.files()))

    def test_what_is_on_its_way_or_staged_or_waits_for_its_deletion_stays(self):
        transfer = self.begin()
        self.draft(transfer.name)
        self.assertEqual(0, self.sweep())
        url = self.write(transfer.name)
        staged = StagedData(transfer.image_id, STAGING_STORE, url, 4, "http://node")
        self.data.run(RecordStaged(transfer, staged), TIME)
        self.assertEqual(0, self.sweep())
        self.data.run(DiscardStaged(transfer.image_id), TIME)
        self.assertEqual(0, self.sweep())
        self.assertEqual(2, len(self.files()))
        (pending,) = self.data.run(ListRemovals(transfer.image_id))
        self.data.run(FinishRemoval(pending.id))
        self.assertEqual(1, self.sweep())

    def test_what_a_transfer_has_left_that_was_given_up_elsewhere_is_removed(self):
        transfer = self.begin()
        self.draft(transfer.name)
        self.data.run(AbortTransfer(transfer), TIME)
        again = self.begin(transfer.image_id)
        self.draft(again.name)
        self.assertEqual(1, self.sweep())
        self.assertEqual([again.name], list(self.store.names()))

    def test_what_begins_while_the_names_are_read_stays(self):
        case = self

        class Busy(FileDriver):
            def names(driver):
                case.draft(case.begin().name)
                return super().names()

        self.assertEqual(0, sweep_staging(Store(Busy(str(self.directory)), STAGING_STORE), self.data))
        self.assertEqual(1, len(self.files()))

    def test_what_is_recorded_between_the_names_and_the_rows_stays(self):
        transfer, case = self.begin(), self
        url = self.write(transfer.name)

        class Busy(FileDriver):
            def names(driver):
                found = super().names()
                staged = StagedData(transfer.image_id, STAGING_STORE, url, 4, None)
                case.data.run(RecordStaged(transfer, staged), TIME)
                return found

        self.assertEqual(0, sweep_staging(Store(Busy(str(self.directory)), STAGING_STORE), self.data))

    def test_data_of_an_image_stays_where_its_store_has_the_same_directory(self):
        image_id = str(uuid.uuid4())
        url = self.write(f"{image_id}-0123abcd")
        self.data.run(creation(make_image(id=image_id, locations=(Location(url, {}),))))
        self.assertEqual(0, self.sweep())
        self.assertEqual(1, len(self.files()))

    def test_files_of_others_stay(self):
        for name in ("README", str(uuid.uuid4()), f"{uuid.uuid4()}-0123456g", f".{_name()}.part", ".hidden"):
            (self.directory / name).write_bytes(b"x")
        (self.directory / _name()).mkdir()
        self.assertEqual(0, self.sweep())
        self.assertEqual(6, len(list(self.directory.iterdir())))

    def test_more_names_than_are_asked_for_at_once_are_all_judged(self):
        kept = [self.begin() for _ in range(3)]
        for transfer in kept:
            self.write(transfer.name)
        for number in range(BATCH):
            (self.directory / f"{kept[0].image_id}-{number:08x}").write_bytes(b"x")
        self.assertEqual(BATCH, self.sweep())
        self.assertEqual({one.name for one in kept}, self.store.names())

    def test_driver_that_cannot_tell_its_names_is_left_alone(self):
        class Silent(MemoryDriver):
            def names(driver):
                return None

        driver = Silent(STAGING_STORE)
        driver.write(_name(), [b"data"])
        self.assertEqual(0, sweep_staging(Store(driver, STAGING_STORE), self.data))
        self.assertEqual(1, len(driver.locations()))

    def sweep(self):
        return sweep_staging(self.store, self.data)

    def name(self):
        """Return a name of an image of this service, under which nothing is."""
        image = make_image(id=str(uuid.uuid4()), status="queued", size=None, locations=())
        return f"{self.data.run(creation(image)).id}-0123abcd"

    def files(self):
        return [path for path in self.directory.iterdir() if path.is_file()]

    def write(self, name):
        """Return the address of data under ``name``."""
        return self.store.write(name, [b"data"]).location

    def draft(self, name):
        """Leave what a process leaves that is killed while it writes."""
        (self.directory / f".{name}.{os.urandom(8).hex()}.part").write_bytes(b"half")

    def begin(self, image_id=None):
        """Return a staging of a new image, or of one that is queued again."""
        if image_id is None:
            image = make_image(id=str(uuid.uuid4()), status="queued", size=None, locations=())
            image_id = self.data.run(creation(image)).id
        identity = str(uuid.uuid4())
        name = f"{image_id}-{identity[:8]}"
        transfer = Transfer(
            identity, image_id, "p1", "process", STAGING_STORE, name, reserved=0, node_url="http://node"
        )
        self.data.run(BeginTransfer(transfer, LEASE, to_staging=True), TIME)
        return transfer


class TestWork(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.data = open_data(self)
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)

    def test_files_of_the_attempt_that_runs_stay_and_those_of_others_go(self):
        job = self.claimed()
        self.data.run(ReleaseJob(job, AT_ONCE, ""), TIME)
        job = self.claim()
        for attempt in (1, 2, 3):
            self.leave(job.id, attempt)
        self.assertEqual(2, self.sweep())
        self.assertEqual([f"{job.id}/2/converted"], self.files())

    def test_files_of_a_job_that_waits_go(self):
        job = self.claimed()
        self.leave(job.id, 1)
        self.data.run(ReleaseJob(job, AT_ONCE, ""), TIME)
        self.assertEqual(1, self.sweep())
        self.assertEqual([], self.files())

    def test_directory_of_a_job_that_has_ended_goes(self):
        for state in ("success", "failure"):
            job = self.claimed()
            self.leave(job.id, 1)
            self.data.run(FinishJob(job, state, None, "", KEEP), TIME)
        self.leave(str(uuid.uuid4()), 1)
        self.assertEqual(3, self.sweep())
        self.assertEqual([], list(self.directory.iterdir()))

    def test_directory_of_a_job_that_may_go_on_stays(self):
        job = self.claimed()
        self.leave(job.id, 1)
        self.data.run(ReleaseJob(job, AT_ONCE, ""), TIME)
        self.sweep()
        self.assertEqual([job.id], [path.name for path in self.directory.iterdir()])

    def test_what_is_not_of_a_job_stays(self):
        (self.directory / "notes").write_text("x")
        (self.directory / "lost+found").mkdir()
        other = self.directory / str(uuid.uuid4())
        (other / "cache").mkdir(parents=True)
        link = self.directory / str(uuid.uuid4())
        link.symlink_to(self.directory / "lost+found")
        self.assertEqual(0, self.sweep())
        self.assertEqual(4, len(list(self.directory.iterdir())))
        self.assertTrue((other / "cache").is_dir())

    def test_directory_that_nobody_has_made_yet_is_swept_too(self):
        self.assertEqual(0, sweep_work(self.directory / "none", self.data))

    def sweep(self):
        return sweep_work(self.directory, self.data)

    def claim(self):
        return self.data.run(ClaimJob("worker", ("script",), LEASE), TIME)

    def claimed(self):
        """Return a new job at its first attempt."""
        self.data.run(AddJob(make_job()), TIME)
        return self.claim()

    def leave(self, job_id, attempt):
        """Leave what an attempt leaves whose worker was killed."""
        place = self.directory / job_id / str(attempt)
        place.mkdir(parents=True)
        (place / "converted").write_text("x")

    def files(self):
        return [str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file()]


class TestRounds(testtools.TestCase):
    def test_sweeps_are_called_from_the_start_on_each_even_where_another_fails(self):
        called, is_done = [], threading.Event()

        def down():
            called.append("down")
            raise Unavailable(reason="no database")

        def sweep():
            called.append("sweep")
            if len(called) >= 4:
                is_done.set()
            return 0

        cleaner = Cleaner(open_data(self), interval=0.001, sweeps=(down, sweep))
        self.addCleanup(cleaner.close)
        cleaner.start()
        self.assertTrue(is_done.wait(WAIT))
        self.assertEqual(["down", "sweep", "down", "sweep"], called[:4])


def _name():
    """Return a name as stagings have them."""
    return f"{uuid.uuid4()}-{os.urandom(4).hex()}"
