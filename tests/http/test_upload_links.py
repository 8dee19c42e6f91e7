"""Uploads that are sent to a store by a link (api-links-uploads)."""

from datetime import timedelta

import fixtures

from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL
from glance_mini.jobs.link_upload import LinkUploadJob
from glance_mini.maintenance.reaper import Reaper
from glance_mini.operations.records import CountUsage
from glance_mini.testing.timed import TimedAccess
from tests.dropping_store import DroppingDriver
from tests.http.client import DATA_TYPE
from tests.http.working import BODY, Watched, WorkingTest, digest

OTHER = BODY[::-1]


class UploadLinksCase(WorkingTest):
    options = {
        "direct_access": {"uploads": True, "upload_grace": 60, "max_link_seconds": 600, "links_per_project": 3},
        "DEFAULT": {"user_storage_quota": "100KB", "image_size_cap": 80_000},
    }

    def setUp(self):
        super().setUp()
        self.store = DroppingDriver("fast")
        self.service.services.stores.get("fast").driver = self.store
        self.job_types["link_upload"] = self.job = LinkUploadJob.from_config(
            self.service.conf, self.service.services, self.service.stack
        )
        self.image_id = self.create()

    def add(self, status=201, caller="member", **body):
        answer = self.send("POST", f"/v2/images/{self.image_id}/links", {"size": len(BODY), **body}, caller=caller)
        self.assertEqual(status, answer.status_int, answer.text)
        return answer.json if status == 201 else answer.text

    def complete(self, link, status=202, caller="member"):
        path = f"/v2/images/{self.image_id}/links/{link['id']}/complete"
        answer = self.send("POST", path, caller=caller)
        self.assertEqual(status, answer.status_int, answer.text)
        return answer.text

    def sent(self, data=BODY, **body):
        """Return a link by which ``data`` was sent."""
        link = self.add(**body)
        self.store.send(link["url"], data)
        return link

    def links(self):
        return self.send("GET", f"/v2/images/{self.image_id}/links").json["links"]

    def status(self):
        return self.status_of(self.image_id)

    def used(self):
        """Return the bytes and the uploads that count for the project."""
        usage = self.service.services.data.run(CountUsage("p1"))
        return usage[IMAGE_SIZE_TOTAL], usage[IMAGE_COUNT_UPLOADING]

    def work_at_once(self):
        """Run the jobs without letting time pass."""
        while self.worker().run_one():
            pass

    def reap(self, seconds):
        """Let time pass, and do what the reaper does then."""
        services = self.service.services
        self.passed += timedelta(seconds=seconds)
        data = TimedAccess(services.data, self._now)
        return Reaper(data, services.stores, services.leases, services.metrics, 1).reap()

    def left(self):
        """Return all that is in the store."""
        return sorted(self.store.sent), len(list(self.store.locations()))


class TestUploads(UploadLinksCase):
    def test_data_that_was_sent_becomes_that_of_the_image(self):
        link = self.add(expires_in=300)
        self.assertEqual([(300, len(BODY))], self.store.signed)
        self.assertEqual((len(BODY), "fast", self.image_id), (link["size"], link["store"], link["image_id"]))
        self.assertEqual("uploading", self.status())
        self.assertEqual([link["id"]], [each["id"] for each in self.links()])
        self.assertNotIn("url", self.links()[0])
        self.store.send(link["url"], BODY)
        self.complete(link)
        self.assertEqual("importing", self.status())
        self.work()
        image = self.show(self.image_id)
        self.assertEqual(("active", len(BODY), digest("md5")), (image["status"], image["size"], image["checksum"]))
        self.assertEqual((digest("sha512"), len(BODY)), (image["os_hash_value"], image["virtual_size"]))
        self.assertEqual("fast", image["stores"])
        self.assertNotIn("os_glance_import_task", image)
        self.assertEqual(BODY, self.data(self.image_id))
        self.assertEqual(([], []), (self.links(), self.left()[0]))
        (task,) = self.tasks(self.image_id)
        self.assertEqual(("link_upload", "success"), (task["type"], task["status"]))

    def test_store_that_cannot_make_safe_addresses_is_refused(self):
        self.store.refuses = True
        self.assertIn("cannot be sent to store fast by a link", self.add(400))
        self.assertEqual(("queued", [], (0, 0)), (self.status(), self.links(), self.used()))

    def test_link_that_is_used_again_changes_nothing_and_leaves_nothing(self):
        link = self.sent()
        self.complete(link)
        self.store.send(link["url"], BODY)
        self.work_at_once()
        self.store.send(link["url"], OTHER)
        self.assertEqual(BODY, self.data(self.image_id))
        self.complete(link, 404)
        self.reap(0)
        self.assertEqual((1, (len(BODY), 0)), (len(self.store.sent), self.used()))
        self.reap(3600)
        self.assertEqual(([], 1), self.left())
        self.assertEqual((BODY, "active"), (self.data(self.image_id), self.status()))

    def test_what_was_sent_may_change_until_it_is_copied_and_not_later(self):
        link = self.sent()
        self.complete(link)
        self.store.send(link["url"], OTHER)
        changed = Watched(self.job, lambda: self.store.locations() and self.store.send(link["url"], BODY))
        while self.worker(link_upload=changed).run_one():
            pass
        self.assertEqual(("active", OTHER), (self.status(), self.data(self.image_id)))
        self.assertEqual(digest("sha512", OTHER), self.show(self.image_id)["os_hash_value"])

    def test_nothing_fewer_or_more_bytes_are_refused_and_can_be_sent_again(self):
        link = self.add()
        self.assertIn("nothing was", self.complete(link, 409))
        for data in (BODY[:-1], BODY + b"x", b""):
            self.store.send(link["url"], data)
            self.assertIn(f"{len(data)} bytes were", self.complete(link, 409))
        self.assertEqual("uploading", self.status())
        self.store.send(link["url"], BODY)
        self.complete(link)
        self.work()
        self.assertEqual("active", self.status())

    def test_data_that_changes_its_size_after_all_is_not_used(self):
        for data in (BODY[:-1], BODY + b"x", None):
            link = self.sent()
            self.complete(link)
            self.store.sent.clear()
            if data is not None:
                self.store.send(link["url"], data)
            self.work()
            self.assertEqual("queued", self.status())
            self.assertEqual("failure", self.tasks(self.image_id)[-1]["status"])
            self.assertEqual((([], 0), []), (self.left(), self.links()))
        self.assertEqual((0, 0), self.used() if self.reap(3600) else None)

    def test_data_of_another_format_is_refused_and_leaves_nothing(self):
        self.image_id = self.create(disk_format="qcow2")
        self.complete(self.sent())
        self.work()
        self.assertEqual(("queued", ([], 0)), (self.status(), self.left()))
        (task,) = self.tasks(self.image_id)
        self.assertEqual("failure", task["status"])
        self.assertIn("refused", task["message"])
        self.assertEqual(0, self.used()[0])

    def test_upload_that_is_never_completed_is_removed_after_its_lease(self):
        self.sent(expires_in=30)
        self.assertEqual((len(BODY), 1), self.used())
        self.assertEqual(0, self.reap(80))
        self.assertEqual(1, self.reap(20))
        self.assertEqual(("queued", ([], 0), (0, 0)), (self.status(), self.left(), self.used()))

    def test_link_that_was_ended_frees_the_image(self):
        link = self.sent()
        path = f"/v2/images/{self.image_id}/links/{link['id']}"
        self.assertEqual(204, self.send("DELETE", path).status_int)
        self.assertEqual(("queued", 0), (self.status(), self.used()[0]))
        self.complete(link, 404)
        self.reap(3600)
        self.assertEqual(([], 0), self.left())

    def test_upload_dies_with_its_image(self):
        link = self.sent()
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.image_id}").status_int)
        self.complete(link, 404)
        self.reap(3600)
        self.assertEqual((([], 0), (0, 0)), (self.left(), self.used()))

    def test_image_that_is_deleted_during_the_job_stays_deleted(self):
        link = self.sent()
        self.complete(link)
        delete = iter([lambda: self.send("DELETE", f"/v2/images/{self.image_id}")])
        watched = Watched(self.job, lambda: next(delete, lambda: None)())
        while self.worker(link_upload=watched).run_one():
            pass
        self.work()
        self.reap(3600)
        self.assertEqual((([], 0), (0, 0)), (self.left(), self.used()))

    def test_secret_of_the_address_is_in_no_log_event_or_later_answer(self):
        logger = self.useFixture(fixtures.FakeLogger())
        link = self.sent()
        self.complete(link)
        self.work()
        shown = repr([self.links(), self.tasks(self.image_id), self.show(self.image_id)])
        events = repr([(event.payload, event.caller) for event in self.service.events()])
        for text in (logger.output, shown, events):
            self.assertNotIn("signature=secret", text)


class Killed(BaseException):
    """The worker dies."""


class TestKilledJobs(UploadLinksCase):
    def test_job_that_was_killed_anywhere_is_finished_by_another_one(self):
        moments = 0
        while True:
            self.image_id = self.create()
            self.complete(self.sent())
            left = iter(range(moments))

            def die(left=left):
                if next(left, None) is None:
                    raise Killed

            try:
                self.worker(link_upload=Watched(self.job, die)).run_one()
                done = True
            except Killed:
                done = False
            self.passed += timedelta(minutes=2)
            self.work()
            self.assertEqual(("active", BODY), (self.status(), self.data(self.image_id)), moments)
            self.assertEqual(([], 1), self.left(), moments)
            self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.image_id}").status_int)
            if done:
                break
            moments += 1
        self.assertGreater(moments, 1)


class TestRefusals(UploadLinksCase):
    def test_room_is_reserved_before_the_address_is_given_out(self):
        self.add(413, size=80_001)
        self.add(size=70_000)
        self.image_id = self.create()
        self.add(413, size=40_000)
        self.assertEqual("queued", self.status())
        self.add(size=20_000)

    def test_links_of_a_project_are_bounded(self):
        for _ in range(3):
            self.add(size=1)
            self.image_id = self.create()
        self.add(413, size=1)
        self.assertEqual(("queued", 3), (self.status(), self.used()[1]))

    def test_size_store_and_time_are_checked(self):
        for body in (
            *({"size": size} for size in (0, -1, 1.5, "1", None, True, 2**63)),
            *({"store": store} for store in ("nowhere", "cheap", "web", 1)),
            {"expires_in": 601},
            {"name": "x"},
        ):
            self.add(400, **body)
        self.assertEqual("queued", self.status())

    def test_owner_alone_sends_data(self):
        self.send("POST", f"/v2/images/{self.image_id}/members", {"member": "p2"})
        self.add(403, caller="other")
        self.add(403, caller="reader")
        self.add(404, caller="p3")
        link = self.sent()
        self.complete(link, 403, caller="other")
        self.complete(link, 403, caller="reader")

    def test_image_must_wait_for_data_and_have_formats(self):
        self.image_id = self.uploaded()
        self.add(409)
        self.image_id = self.send("POST", "/v2/images", {}).json["id"]
        self.add(400)

    def test_link_for_downloads_has_nothing_to_complete(self):
        self.image_id = self.uploaded()
        link = self.send("POST", f"/v2/images/{self.image_id}/links").json
        self.complete(link, 409)
        self.complete({"id": "none"}, 404)

    def test_upload_is_completed_once(self):
        link = self.sent()
        self.complete(link)
        self.complete(link, 409)

    def test_data_does_not_come_by_two_ways(self):
        self.add()
        for way in ("file", "stage"):
            answer = self.send("PUT", f"/v2/images/{self.image_id}/{way}", b"x", Content_Type=DATA_TYPE)
            self.assertEqual(409, answer.status_int)
        self.add(409)


class TestSwitchedOff(UploadLinksCase):
    options = {}

    def test_by_default_there_are_no_uploads_by_links(self):
        self.assertIn("cannot be sent", self.add(400))
        self.assertEqual("queued", self.status())
