"""Deletion that can be undone for a while, with the worker that ends it (api-images-restore)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from glance_mini.domain.clock import utcnow
from glance_mini.jobs.scrub import ScrubJob
from glance_mini.testing.timed import TimedAccess
from tests.http.client import DATA_TYPE, ApplicationTest
from tests.unit.workers.support import Clock, make_worker

HOUR = 3600
BIN = "/v2/images?status=pending_delete"


class TestDelayedDelete(ApplicationTest):
    options = {"DEFAULT": {"delayed_delete": True, "scrub_time": HOUR}}

    def setUp(self) -> None:
        super().setUp()
        services = self.service.services
        self.clock = Clock(utcnow())
        data = TimedAccess(services.data, self.clock)
        job_type = ScrubJob(data, services.stores, None)
        self.worker = make_worker(data, job_type, clock=self.clock)
        self.image_id = self.create(name="disk")
        self.path = f"/v2/images/{self.image_id}"
        self.send("PUT", f"{self.path}/file", b"abc", Content_Type=DATA_TYPE)

    def delete(self) -> None:
        self.assertEqual(204, self.send("DELETE", self.path).status_int)

    def restore(self) -> int:
        return self.send("POST", f"{self.path}/actions/restore").status_int

    def recorded_status(self) -> str:
        """Return what the database itself says."""
        with self.service.backend.engine.connect() as connection:
            status = connection.exec_driver_sql(f"SELECT status FROM images WHERE id = '{self.image_id}'").scalar_one()
        return str(status)

    def test_line_31_delayed_delete(self) -> None:
        self.delete()
        self.assertEqual("pending_delete", self.recorded_status())
        for caller in ("member", "admin"):
            self.assertEqual(404, self.send("GET", self.path, caller=caller).status_int)
            self.assertEqual([], self.send("GET", "/v2/images", caller=caller).json["images"])
        self.assertEqual(204, self.restore())
        self.assertEqual(("active", b"abc"), (self.recorded_status(), self.send("GET", f"{self.path}/file").body))
        self.delete()
        self.clock.now = utcnow() + timedelta(seconds=HOUR - 60)
        self.assertFalse(self.worker.run_one())
        self.assertTrue(self.is_stored(self.image_id))
        self.clock.move(120)
        while self.worker.run_one():
            pass
        self.assertEqual("deleted", self.recorded_status())
        self.assertFalse(self.is_stored(self.image_id))
        self.assertEqual(404, self.restore())
        self.assertEqual([], self.send("GET", BIN, caller="admin").json["images"])

    def test_of_two_who_restore_at_once_one_does_it(self) -> None:
        self.delete()
        with ThreadPoolExecutor(2) as pool:
            first, second = sorted(pool.map(lambda _: self.restore(), range(2)))
        self.assertEqual(204, first)
        self.assertIn(second, (404, 409))
        self.assertEqual("active", self.status_of(self.image_id))

    def test_restoring_causes_an_update(self) -> None:
        self.delete()
        self.restore()
        deleted, restored = self.service.events()[-2:]
        self.assertEqual(("image.delete", "pending_delete"), (deleted.type, deleted.payload["status"]))
        self.assertEqual(("image.update", "active"), (restored.type, restored.payload["status"]))
        self.assertEqual((self.image_id, False), (restored.payload["id"], restored.payload["deleted"]))
        self.assertEqual({}, restored.payload["properties"])
