"""The whole application with a worker whose jobs run when a test says so, and a web server to import from."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import fixtures
from webob import Response

from glance_mini.domain.clock import utcnow
from glance_mini.domain.job import Job
from glance_mini.testing.timed import TimedAccess, seconds_of
from glance_mini.workers.base import Control, JobType, load_job_types
from glance_mini.workers.loop import Worker
from glance_mini.workers.settings import WorkerSettings
from glance_mini.workers.wakeup import Wakeup
from glance_mini_store.drivers.memory import MemoryDriver
from tests.http.client import DATA_TYPE, ApplicationTest
from tests.unit.store.web import Page, WebServer

BODY = b"what is imported" * 1000

PROGRESS = ("os_glance_import_task", "os_glance_importing_to_stores", "os_glance_failed_import")

DONE = (None, "", "")
"""The progress properties of an image whose last import was right."""


def digest(algorithm: str, data: bytes = BODY) -> str:
    """Return the hexadecimal digest of ``data``."""
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


class WorkingTest(ApplicationTest):
    """Stores ``fast`` (the default one) and ``cheap`` are in memory, ``web`` reads; ``/disk`` of ``web`` is BODY."""

    def setUp(self) -> None:
        super().setUp()
        self.passed = timedelta()
        services = self.service.services
        self.job_types = dict(load_job_types(self.service.conf, services, self.service.stack))

    def settings(self) -> dict[str, dict[str, object]]:
        self.web = self.useFixture(WebServer())
        self.web.pages["/disk"] = Page(BODY)
        own: dict[str, dict[str, object]] = {
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.web.port},
            "task": {"work_dir": Path(self.useFixture(fixtures.TempDir()).path)},
        }
        return {**own, **self.options}

    # the worker

    def _now(self) -> datetime:
        return utcnow() + self.passed

    def worker(self, **job_types: JobType) -> Worker:
        """Return a worker that is not started; ``job_types`` take the place of those of the service."""
        services = self.service.services
        settings = WorkerSettings(lease_seconds=60)
        data, types = TimedAccess(services.data, self._now), {**self.job_types, **job_types}
        return Worker(data, types, Wakeup(), settings, services.metrics, seconds_of(self._now))

    def work(self) -> None:
        """Run jobs, and let time pass where they are to be tried again, until all have ended."""
        worker = self.worker()
        for _ in range(6):
            while worker.run_one():
                pass
            self.passed += timedelta(minutes=15)

    # what callers ask

    def import_image(self, image_id: str, method: Any, caller: str = "member", **body: Any) -> Response:
        """Return the answer to the request; ``method`` is its name or the whole of it."""
        wanted = {"name": method} if isinstance(method, str) else method
        return self.send("POST", f"/v2/images/{image_id}/import", {"method": wanted, **body}, caller=caller)

    def from_web(self, path: str = "/disk") -> dict[str, str]:
        """Return the method that fetches ``path`` of the web server, or another address."""
        return {"name": "web-download", "uri": path if "://" in path else self.web.url(path)}

    def run_import(self, image_id: str, method: Any, caller: str = "member", **body: Any) -> dict[str, Any]:
        """Return the image after an import that was accepted."""
        answer = self.import_image(image_id, method, caller, **body)
        self.assertEqual((202, b""), (answer.status_int, answer.body), answer.text)
        self.work()
        return self.show(image_id)

    def show(self, image_id: str) -> dict[str, Any]:
        """Return an image."""
        shown: dict[str, Any] = self.send("GET", f"/v2/images/{image_id}", caller="admin").json
        return shown

    def stage(self, image_id: str, data: bytes = BODY) -> None:
        """Stage ``data``."""
        answer = self.send("PUT", f"/v2/images/{image_id}/stage", data, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)

    def uploaded(self, data: bytes = BODY) -> str:
        """Return the id of a new image with ``data`` in the default store."""
        image_id = self.create()
        answer = self.send("PUT", f"/v2/images/{image_id}/file", data, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        return image_id

    def tasks(self, image_id: str) -> list[dict[str, Any]]:
        """Return the tasks of an image, the oldest first."""
        found: list[dict[str, Any]] = self.send("GET", f"/v2/images/{image_id}/tasks", caller="admin").json["tasks"]
        return found

    def data(self, image_id: str) -> bytes:
        """Return the data of an image."""
        return bytes(self.send("GET", f"/v2/images/{image_id}/file").body)

    # what there is

    def driver(self, store: str) -> MemoryDriver:
        """Return the driver of a store in memory."""
        driver = self.service.services.stores.get(store).driver
        assert isinstance(driver, MemoryDriver)
        return driver

    def kept(self, *stores: str) -> list[int]:
        """Return how many pieces of data each of the ``stores`` has."""
        return [len(list(self.driver(store).locations())) for store in stores]

    def progress(self, image: dict[str, Any]) -> tuple[str | None, ...]:
        """Return lock, stores to come and stores that failed, as ``image`` shows them."""
        return tuple(image.get(name) for name in PROGRESS)


class Watched(JobType):
    """Runs jobs of another type and calls ``look`` at each of their checks."""

    def __init__(self, job_type: JobType, look: Callable[[], object]) -> None:
        self._job_type = job_type
        self._look = look

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        return self._job_type.run(job, cast(Control, _Looking(control, self._look)))

    def give_up(self, job: Job, reason: str) -> None:
        self._job_type.give_up(job, reason)


class _Looking:
    def __init__(self, control: Control, look: Callable[[], object]) -> None:
        self._control = control
        self._look = look

    def check(self) -> None:
        self._look()
        self._control.check()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control, name)
