"""Imports from the request to their end: the real layers, SQLite, stores in memory and in files, and a worker."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path

import fixtures
import testtools

from glance_mini.content.hashes import ImageHashes
from glance_mini.content.inspection import InspectionRules
from glance_mini.domain.clock import utcnow
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.job import LOCAL_IMPORT
from glance_mini.fetching.downloads import Downloads
from glance_mini.imports.copying import Copier
from glance_mini.imports.methods import CopyImage, GlanceDirect, GlanceDownload, WebDownload
from glance_mini.imports.preparation import Preparation
from glance_mini.jobs.hash_location import LocationJob
from glance_mini.jobs.import_image import ImportJob
from glance_mini.maintenance.reaper import Reaper
from glance_mini.maintenance.staging import StagingArea
from glance_mini.operations.data import DownloadData, UploadData
from glance_mini.operations.images import CreateImage, DeleteImage, GetImage
from glance_mini.operations.imports import ImportImage, StageData
from glance_mini.operations.tasks import ListImageTasks
from glance_mini.testing.application import ApplicationFixture
from glance_mini.testing.timed import TimedAccess, seconds_of
from glance_mini.workers.base import JobType
from glance_mini.workers.loop import Worker
from glance_mini.workers.settings import WorkerSettings
from glance_mini.workers.wakeup import Wakeup
from glance_mini_store import errors
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.streams import BLOCK

DATA = os.urandom(3 * BLOCK + 17)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Clock:
    """The time of day, and what a test has let pass beside it."""

    def __init__(self):
        self.passed = timedelta()

    def __call__(self):
        return utcnow() + self.passed

    def move(self, seconds):
        """Let time pass."""
        self.passed += timedelta(seconds=seconds)


class ImportCase(testtools.TestCase):
    """``disk`` and ``slow`` keep files, on the file system of the staging area; ``fast`` and ``cheap`` memory."""

    plugins = ()
    policy = ""
    at_once = None
    size_cap = 64 * BLOCK
    report_seconds = 60

    def setUp(self):
        super().setUp()
        self.folder = folder = Path(self.useFixture(fixtures.TempDir()).path)
        groups = {
            "DEFAULT": {
                "enabled_backends": "disk:file,slow:file,fast:memory,cheap:memory,web:http",
                "node_staging_uri": f"file://{folder}/staging",
            },
            "glance_store": {"default_backend": "disk"},
            "disk": {"filesystem_store_datadir": folder / "disk"},
            "slow": {"filesystem_store_datadir": folder / "slow"},
            "task": {"work_dir": folder / "work"},
        }
        for group, values in self.settings().items():
            groups[group] = {**groups.get(group, {}), **values}
        self.application = self.useFixture(ApplicationFixture(groups, self.policy))
        self.services, self.stack = self.application.services, self.application.stack
        self.stores = self.services.stores
        self.caller = self.application.context("admin")
        self.clock = Clock()
        self.data = TimedAccess(self.services.data, self.clock)
        imports = self.import_job(self.services.node_url)
        self.job_types = {"api_image_import": imports, "location_import": self._location_job()}

    def settings(self):
        """Return further options by group and name."""
        return {}

    def import_job(self, node_url, methods=None):
        """Return the type of job as the node ``node_url`` has it; ``methods`` by name replace all others."""
        services = self.services
        client = Downloads.from_config(self.application.conf)
        known = (
            GlanceDirect(services.stores, services.data, node_url),
            WebDownload(client),
            CopyImage(services.stores, services.metrics),
            GlanceDownload(client, ("hw_", "os_type")),
        )
        copier = Copier(
            services.stores,
            InspectionRules(),
            ImageHashes("sha256"),
            self.at_once,
            report_seconds=self.report_seconds,
            leave=services.data.run,
        )
        named = {method.name: method for method in known} if methods is None else methods
        work = self.folder / "work"
        staging = StagingArea(services.data, services.stores, node_url)
        preparation = Preparation(named, self.plugins, copier, work, self.size_cap, services.certificates)
        return ImportJob(self.stack, staging, services.stores, preparation, copier)

    def _location_job(self):
        return LocationJob(self.stack, self.services.stores, ImageHashes("sha256"))

    def worker(self, node_url=None, **job_types):
        """Return a worker on the node ``node_url``, by default that of the test, which is not started."""
        settings = WorkerSettings(lease_seconds=60)
        types = {**self.job_types, **job_types}
        # Imports within one file system are of another kind, and do the same.
        types = {LOCAL_IMPORT: types["api_image_import"], **types}
        metrics, node_url = self.services.metrics, node_url or self.services.node_url
        return Worker(self.data, types, Wakeup(), settings, metrics, seconds_of(self.clock), node_url)

    def create(self, **values):
        """Return the id of a new image."""
        formats = {"disk_format": "raw", "container_format": "bare"}
        properties = values.pop("properties", {})
        return self.call(CreateImage(base={**formats, **values}, properties=properties)).id

    def call(self, operation):
        """Return the answer to an operation of an administrator."""
        return self.stack.call(self.caller, operation)

    def image(self, image_id):
        """Return an image as it is now."""
        return self.call(GetImage(image_id))

    def stage(self, image_id, data=DATA):
        """Stage ``data``."""
        blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
        self.call(StageData(image_id, chunks=blocks, size=len(data)))

    def upload(self, image_id, store="disk", data=DATA):
        """Upload ``data``."""
        self.call(UploadData(image_id, chunks=[data], size=len(data), store=store))

    def request(self, image_id, *stores, name="glance-direct", **values):
        """Ask for an import and return its job."""
        method = {"name": name, **values.pop("method", {})}
        body = {"method": method, **{key: value for key, value in values.items() if key == "all_stores_must_succeed"}}
        if "expected_hashes" in values:
            body["expected_hash"] = values["expected_hashes"]
        request = ImportRequest(method=method, stores=stores, body=body, **values)
        return self.call(ImportImage(image_id, request=request))

    def run_jobs(self, worker=None):
        """Run all jobs that are due; returns how many there were."""
        worker, count = worker or self.worker(), 0
        while worker.run_one():
            count += 1
        return count

    def run_to_the_end(self):
        """Run jobs, and let time pass where they are to be tried again, until none is left."""
        for _ in range(10):
            self.run_jobs()
            self.clock.move(1000)

    def run_import(self, image_id, *stores, **values):
        """Import to the end and return the image."""
        self.request(image_id, *stores, **values)
        self.run_to_the_end()
        return self.image(image_id)

    def staged_import(self, *stores, data=DATA, **values):
        """Import staged data into a new image and return it."""
        image_id = self.create()
        self.stage(image_id, data)
        return self.run_import(image_id, *stores, **values)

    def task(self, image_id):
        """Return the newest task of the image."""
        return self.call(ListImageTasks(image_id)).jobs[-1]

    def data_of(self, image, store):
        """Return what the image has in one store."""
        (location,) = [each for each in image.locations if each.store == store]
        return b"".join(self.stores.get(store).read(location.url))

    def download(self, image_id):
        """Return the data of an image."""
        return b"".join(self.call(DownloadData(image_id)).chunks)

    def files(self, name):
        """Return the names of all files below a directory of the test."""
        return sorted(path.name for path in (self.folder / name).rglob("*") if path.is_file())

    def kept(self):
        """Return how much every store and every directory holds."""
        files = {name: len(self.files(name)) for name in ("disk", "slow", "staging", "work")}
        memory = {store: len(self.stores.get(store).driver._data) for store in ("fast", "cheap")}
        return {name: count for name, count in {**files, **memory}.items() if count}

    def progress(self, image):
        """Return lock, stores to come and stores that failed, as the image shows them."""
        names = ("os_glance_import_task", "os_glance_importing_to_stores", "os_glance_failed_import")
        return tuple(image.properties.get(name) for name in names)

    def call_delete(self, image_id):
        """Delete an image and, as the reaper does, whatever is left to be deleted."""
        self.call(DeleteImage(image_id))
        self.remove_pending()

    def remove_pending(self):
        """Remove the data whose deletion was recorded."""
        services = self.services
        self.clock.move(1000)
        Reaper(self.data, services.stores, services.leases, services.metrics, 60, services.node_url).reap()

    def break_store(self, name, error=None):
        """Let a store fail after the first block of a write; returns what mends it."""
        store = self.stores.get(name)
        working, store.driver = store.driver, BrokenDriver(store.driver.devices(), error)

        def mend():
            store.driver = working

        return mend


class BrokenDriver(MemoryDriver):
    """A store that fails when it is written to."""

    def __init__(self, devices, error=None):
        super().__init__()
        self._devices = devices
        self._error = error or errors.StorageFull(reason="there is no room")

    def write(self, name, chunks, size=None):
        next(iter(chunks))
        raise self._error

    def link_in(self, name, path):
        raise self._error

    def devices(self):
        return self._devices


class Interrupted(JobType):
    """Runs a job of another type up to a check, and lets ``stop`` happen or raises ``error`` there."""

    def __init__(self, job_type, checks, stop=None, error=None):
        self.kind = job_type.kind
        self.stop = stop
        self.is_interrupted = False
        self._job_type = job_type
        self._checks = checks
        self._error = error

    def run(self, job, control):
        return self._job_type.run(job, _Counting(control, self._checks, self._interrupt))

    def give_up(self, job, reason):
        self._job_type.give_up(job, reason)

    def _interrupt(self):
        self.is_interrupted = True
        if self._error is not None:
            raise self._error
        self.stop()


class _Counting:
    def __init__(self, control, checks, interrupt):
        self._control = control
        self._left = checks
        self._interrupt = interrupt

    def check(self):
        self._left -= 1
        if not self._left:
            self._interrupt()
        self._control.check()

    def checkpoint(self, values, message=""):
        self._control.checkpoint(values, message)

    def report_progress(self, message):
        self._control.report_progress(message)


class Death(BaseException):
    """The end of a worker, as far as one can meet it in a test."""


class Dying(JobType):
    """Does the work of another type of job, or gives it up, and dies before that is written down."""

    def __init__(self, job_type):
        self._job_type = job_type

    def run(self, job, control):
        self._job_type.run(job, control)
        raise Death

    def give_up(self, job, reason):
        self._job_type.give_up(job, reason)
        raise Death
