"""Events of changes that are sent after them: when, and when not."""

from typing import Any

import testtools

from glance_mini.db.interface import DataAccess
from glance_mini.domain.cause import Cause
from glance_mini.domain.errors import NotFound
from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Publisher
from glance_mini.notifications.publishing import PublishingAccess
from glance_mini.operations.images import CreateImage
from glance_mini.operations.records import CountUsage, LoadImage, MarkDeleted, UndoDeletion
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image
from tests.unit.layers.support import make_database

CAUSE = Cause("delete_image", "u1", "p1", ("member",), "req-1")


class TestPublishing(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.heard: list[Event] = []
        self.publisher = Publisher(self.heard.append, Metrics(), 100, frozenset())
        self.publisher.start()
        self.addCleanup(self.publisher.close)
        self.database = make_database(self)
        self.data = PublishingAccess(self.database, self.publisher)

    def types(self) -> list[str]:
        """Return the types of the events so far, and publish no more."""
        self.publisher.close()
        return [event.type for event in self.heard]

    def test_each_change_of_a_call_is_followed_by_its_event(self) -> None:
        image = make_image()
        self.assertEqual("active", self.data.run(creation(image), TIME, CAUSE).status)
        self.data.run(MarkDeleted(IMAGE_ID), TIME, CAUSE)
        self.data.run(UndoDeletion(image), TIME, CAUSE)
        self.assertEqual(["image.create", "image.delete", "image.update"], self.types())
        self.assertEqual([CAUSE.caller()] * 3, [event.caller for event in self.heard])

    def test_event_comes_after_its_change(self) -> None:
        found: list[str] = []

        class Looking:
            """Looks into the database for each event."""

            def start(self) -> None:
                pass

            def publish(looking, event: Event) -> None:
                found.append(self.database.run(LoadImage(IMAGE_ID)).status)

            def close(self) -> None:
                pass

        PublishingAccess(self.database, Looking()).run(creation(make_image()), TIME, CAUSE)
        self.assertEqual(["active"], found)

    def test_change_that_does_not_happen_causes_no_event(self) -> None:
        self.assertRaises(NotFound, self.data.run, MarkDeleted(IMAGE_ID), TIME, CAUSE)
        self.assertEqual([], self.types())

    def test_reading_causes_no_event(self) -> None:
        self.database.run(CreateImage(IMAGE_ID))
        self.assertEqual(IMAGE_ID, self.data.run(LoadImage(IMAGE_ID), None, CAUSE).id)
        self.data.run(CountUsage(), None, CAUSE)
        self.assertEqual([], self.types())

    def test_closing_closes_the_access_below(self) -> None:
        closed: list[str] = []

        class Closing(DataAccess):
            def run(self, call: Any, now: Any = None, cause: Any = None) -> Any:
                raise AssertionError

            def close(self) -> None:
                closed.append("closed")

        PublishingAccess(Closing(), self.publisher).close()
        self.assertEqual(["closed"], closed)
