"""With an outbox each event is stored with its change or not at all."""

from datetime import timedelta

import testtools
from oslo_db.exception import DBNonExistentTable

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.errors import Conflict, Forbidden, Unavailable
from glance_mini.operations import data, images
from glance_mini.operations.outbox import CountEvents, TakeEvents
from glance_mini.operations.records import LoadImage
from glance_mini.testing.application import ApplicationFixture
from glance_mini_store import errors as store_errors

STORED = {"notifications": {"delivery": "outbox"}}
BASE = {"name": "disk", "disk_format": "raw", "container_format": "bare"}


def rename(image, name):
    """Return the operation that gives an image another name."""
    return images.UpdateImage(image.id, changes=(PropertyChange("replace", "name", name),))


class Service:
    """A service in memory, its calls made by ``member``."""

    def __init__(self, test, options=None):
        self.fixture = test.useFixture(ApplicationFixture({**STORED, **(options or {})}))

    def call(self, op):
        """Return the result of a call."""
        return self.fixture.stack.call(self.fixture.context("member"), op)

    def create(self, **values):
        """Return a new image."""
        return self.call(images.CreateImage(base={**BASE, "owner": "p1", **values}))

    def upload(self, image):
        """Return the image with data."""
        return self.call(data.UploadData(image.id, chunks=iter([b"content"]), size=7))

    def events(self):
        """Return type, priority and status of each event."""
        return [(event.type, event.priority, event.payload.get("status")) for event in self.fixture.events()]

    def types(self):
        """Return the type of each event."""
        return [event.type for event in self.fixture.events()]


class TestStoring(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.service = Service(self)
        self.data = self.service.fixture.services.data
        self.engine = self.service.fixture.backend.engine

    def test_the_event_of_a_change_that_cannot_be_stored_undoes_the_change(self):
        image = self.service.create()
        with self.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
        self.assertRaises(DBNonExistentTable, self.service.call, rename(image, "other"))
        with self.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")
        self.assertEqual("disk", self.data.run(LoadImage(image.id)).name)
        self.assertEqual(["image.create"], self.service.types())

    def test_a_refusal_that_cannot_be_stored_stays_the_same_refusal(self):
        image = self.service.create(protected=True)
        with self.engine.connect() as connection:
            connection.exec_driver_sql("DROP TABLE outbox")
        self.assertRaises(Forbidden, self.service.call, images.DeleteImage(image.id))

    def test_an_event_is_there_as_soon_as_its_change(self):
        self.service.create()
        self.assertEqual(1, self.data.run(CountEvents()))

    def test_each_change_of_a_call_that_failed_has_its_event(self):
        image = self.service.create()

        def fail():
            yield b"con"
            raise Unavailable(reason="The line is dead.")

        self.assertRaises(Unavailable, self.service.call, data.UploadData(image.id, chunks=fail(), size=7))
        events = [event[:2] for event in self.service.events()]
        self.assertEqual([("image.create", "info"), ("image.prepare", "info"), ("image.upload", "error")], events)

    def test_a_deletion_that_is_taken_back_has_its_event_and_so_has_the_image_that_is_back(self):
        image = self.service.upload(self.service.create())
        driver = self.service.fixture.services.stores.default.driver

        def refuse(location):
            raise store_errors.InUseByStore(location=location)

        driver.delete = refuse
        self.assertRaises(Conflict, self.service.call, images.DeleteImage(image.id))
        deleted, back = ("image.delete", "info", "deleted"), ("image.update", "info", "active")
        self.assertEqual([deleted, back, ("image.delete", "warn", None)], self.service.events()[-3:])

    def test_disabled_events_are_not_stored(self):
        service = Service(self, {"DEFAULT": {"disabled_notifications": "image.update,image.member"}})
        image = service.upload(service.create())
        service.call(rename(image, "other"))
        self.assertEqual(["image.create", "image.prepare", "image.upload", "image.activate"], service.types())

    def test_events_of_an_image_have_their_place_among_its_others(self):
        image = self.service.upload(self.service.create())
        self.assertRaises(Conflict, self.service.upload, image)
        events = self.data.run(TakeEvents("somebody", timedelta(hours=1), 100))
        self.assertEqual({image.id}, {event.image_id for event in events})
        self.assertEqual(6, len(events))
