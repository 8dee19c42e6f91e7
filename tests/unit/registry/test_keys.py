"""Keys of writes are removed when no node repeats these writes any more."""

from datetime import timedelta

import fixtures
import testtools

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.clock import utcnow
from glance_mini.domain.query import EVERYTHING, ImageQuery
from glance_mini.operations.images import CreateImage, ListImages
from glance_mini.operations.once import RunOnce
from glance_mini.registry.keys import KeyCleaner
from glance_mini.testing.tables import make_tables
from tests.http_server.running import eventually

KEEP = 3600.0


class KeyCleanerTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        engine = make_engine("sqlite://")
        make_tables(engine)
        self.data = SqlDataAccess(engine)
        self.addCleanup(self.data.close)

    def create(self, key, age):
        """Create an image with that key, so many seconds ago, and return its id."""
        return self.data.run(RunOnce(key, CreateImage()), utcnow() - timedelta(seconds=age)).id

    def test_old_keys_go_in_batches_and_young_ones_stay(self):
        self.useFixture(fixtures.MonkeyPatch("glance_mini.registry.keys.BATCH", 2))
        for number in range(5):
            self.create(f"old-{number}", KEEP + 60)
        young = self.create("young", KEEP - 60)
        self.assertEqual(5, KeyCleaner(self.data, KEEP).clean())
        self.assertEqual(0, KeyCleaner(self.data, KEEP).clean())
        self.assertEqual(young, self.create("young", 0))
        self.assertEqual(6, len(self.data.run(ListImages(ImageQuery(), EVERYTHING)).images))

    def test_it_works_by_itself_until_it_is_closed(self):
        cleaner = KeyCleaner(self.data, KEEP, interval=0.01)
        cleaner.start()
        self.addCleanup(cleaner.close)
        # While the old key is there, a call with it is answered with the first image.
        first = self.create("old", KEEP + 60)
        eventually(lambda: self.create("old", KEEP + 60) != first, "the key is removed")
