"""With an outbox the same is told as without, and each event is stored with its change or not at all."""

import contextlib

import testtools
from oslo_db.exception import DBNonExistentTable

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.errors import Conflict, Forbidden, Unavailable
from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.query import EVERYTHING
from glance_mini.domain.transfer import StoredData
from glance_mini.notifications.event_rules import told
from glance_mini.operations import data, images, imports, members, tasks
from glance_mini.testing.application import ApplicationFixture
from glance_mini.testing.samples import make_image, make_job
from glance_mini_store import errors as store_errors

STORED = {"notifications": {"delivery": "outbox"}}
BASE = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
SOURCE = "http://127.0.0.1/disk.raw"


def rename(image, name):
    """Return the operation that gives an image another name."""
    return images.UpdateImage(image.id, changes=(PropertyChange("replace", "name", name),))


class Service:
    """A service in memory, its calls made by ``member`` where nobody else is named."""

    def __init__(self, test, *options):
        merged = {"import_filtering_opts": {"allowed_hosts": "127.0.0.1"}}
        for some in options:
            for group, values in some.items():
                merged.setdefault(group, {}).update(values)
        self.fixture = test.useFixture(ApplicationFixture(merged))

    def call(self, op, caller="member"):
        """Return the result of a call."""
        return self.fixture.stack.call(self.fixture.context(caller), op)

    def create(self, **values):
        """Return a new image."""
        return self.call(images.CreateImage(base={**BASE, "owner": "p1", **values}))

    def upload(self, image):
        """Return the image with data."""
        return self.call(data.UploadData(image.id, chunks=iter([b"content"]), size=7))

    def told(self):
        """Return what was told, without ids and times, which differ from service to service."""
        return [
            (one.type, one.priority, one.caller, set(one.payload), one.payload.get("status"), one.payload.get("name"))
            for one in self.fixture.events()
        ]


def live(service):
    """Let an image live its life, with members, refusals and imports."""
    image = service.upload(service.create())
    service.call(rename(image, "other"))
    service.call(images.UpdateImage(image.id, changes=()))
    service.call(members.AddMember(image.id, member_id="p2"))
    service.call(members.UpdateMember(image.id, member_id="p2", status="accepted"), "other")
    service.call(members.DeleteMember(image.id, member_id="p2"))
    found = service.call(data.DownloadData(image.id))
    list(found.chunks)
    found.chunks.close()
    for op in (images.DeactivateImage, images.DeactivateImage, images.ReactivateImage):
        service.call(op(image.id), "admin")
    service.call(images.DeleteImage(image.id))
    staged = service.create(name="staged")
    service.call(imports.StageData(staged.id, chunks=iter([b"content"]), size=7))
    request = ImportRequest(method={"name": "glance-direct"}, stores=("fast",))
    service.call(imports.ImportImage(staged.id, request=request))
    protected = service.create(protected=True, name="protected")
    with contextlib.suppress(Forbidden):
        service.call(images.DeleteImage(protected.id))
    service.call(tasks.CreateTask("import", {"import_from": SOURCE, "import_from_format": "raw"}), "admin")


class TestBothDeliveries(testtools.TestCase):
    def test_the_life_of_an_image_is_told_alike(self):
        services = [Service(self), Service(self, STORED)]
        for service in services:
            live(service)
        direct, stored = (service.told() for service in services)
        self.assertIn("image.prepare", [event for event, *_ in direct])
        self.assertEqual(direct, stored)

    def test_a_deletion_that_is_undone_is_told_alike(self):
        services = [Service(self, *options, {"DEFAULT": {"delayed_delete": True}}) for options in ((), (STORED,))]
        for service in services:
            image = service.upload(service.create())
            service.call(images.DeleteImage(image.id))
            service.call(images.RestoreImage(image.id))
        direct, stored = (service.told() for service in services)
        self.assertEqual(["image.delete", "image.update"], [event for event, *_ in direct[-2:]])
        self.assertEqual(direct, stored)

    def test_what_an_import_brings_is_told_alike(self):
        for status in ("active", None):
            image, job = make_image(), make_job()
            written = StoredData(image.locations[0], 7, None, None, None, None)
            record = imports.RecordImport(job, written, {}, status)
            events = ["image.upload", *(["image.activate"] if status else []), "image.update"]
            self.assertEqual(events, [one[0] for one in told(record, record, image)])
            end = imports.EndImport(job, {}, status)
            self.assertEqual(events[1:], [one[0] for one in told(end, end, image)])

    def test_a_location_is_told_once_also_where_a_job_reads_it_later(self):
        image = make_image()
        op = imports.AddLocation(image.id, make_image(status="queued"), url=SOURCE)
        update = images.UpdateImage(image.id, image)
        self.assertEqual(["image.activate", "image.update"], [one[0] for one in told(op, update, image)])
        begin = imports.BeginImport(make_job(), "active", "active", {})
        self.assertEqual([], told(op, begin, image))
        importing = make_image(status="importing")
        self.assertEqual(["image.update"], [one[0] for one in told(op, begin, importing)])


class TestStoring(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.service = Service(self, STORED)
        self.outbox = self.service.fixture.services.outbox

    def test_the_event_of_a_change_that_cannot_be_stored_undoes_the_change(self):
        engine = self.service.fixture.services.data.engine
        image = self.service.create()
        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
        self.assertRaises(DBNonExistentTable, self.service.call, rename(image, "other"))
        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")
        self.assertEqual("disk", self.service.fixture.services.data.get_image(image.id, EVERYTHING).name)
        self.assertEqual(["image.create"], [event for event, *_ in self.service.told()])

    def test_a_refusal_that_cannot_be_stored_stays_the_same_refusal(self):
        image = self.service.create(protected=True)
        with self.service.fixture.services.data.engine.connect() as connection:
            connection.exec_driver_sql("DROP TABLE outbox")
        self.assertRaises(Forbidden, self.service.call, images.DeleteImage(image.id))

    def test_an_event_is_there_as_soon_as_its_change(self):
        self.service.create()
        self.assertEqual(1, self.outbox.count_events())

    def test_each_change_of_a_call_that_failed_is_told(self):
        image = self.service.create()

        def fail():
            yield b"con"
            raise Unavailable(reason="The line is dead.")

        self.assertRaises(Unavailable, self.service.call, data.UploadData(image.id, chunks=fail(), size=7))
        told = [event[:2] for event in self.service.told()]
        self.assertEqual([("image.create", "info"), ("image.prepare", "info"), ("image.upload", "error")], told)

    def test_a_deletion_that_is_taken_back_is_told_and_so_is_the_image_that_is_back(self):
        image = self.service.upload(self.service.create())
        driver = self.service.fixture.services.stores.default.driver

        def refuse(location):
            raise store_errors.InUseByStore(location=location)

        driver.delete = refuse
        self.assertRaises(Conflict, self.service.call, images.DeleteImage(image.id))
        told = [(event, priority, status) for event, priority, _, _, status, _ in self.service.told()][-3:]
        deleted, back = ("image.delete", "info", "deleted"), ("image.update", "info", "active")
        self.assertEqual([deleted, back, ("image.delete", "warn", None)], told)

    def test_disabled_events_are_not_stored(self):
        service = Service(self, STORED, {"DEFAULT": {"disabled_notifications": "image.update,image.member"}})
        image = service.upload(service.create())
        service.call(rename(image, "other"))
        told = [event for event, *_ in service.told()]
        self.assertEqual(["image.create", "image.prepare", "image.upload", "image.activate"], told)

    def test_events_of_an_image_have_their_place_among_its_others(self):
        image = self.service.upload(self.service.create())
        self.assertRaises(Conflict, self.service.upload, image)
        now = image.updated_at
        rows = self.outbox.take_events("somebody", now, now, 100)
        self.assertIsInstance(image, Image)
        self.assertEqual({image.id}, {row.image_id for row in rows})
        self.assertEqual(6, len(rows))
