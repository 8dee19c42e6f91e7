"""The backend passes the contract of the data access layer, and measures what it promises."""

import os
import tempfile

import testtools
from acme_data.backend import MeasuredDataAccess
from acme_data.measures import Measure

from glance_mini import conf as configuration
from glance_mini.db.factory import open_data_access
from glance_mini.db.interface import no_events
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.errors import NotFound
from glance_mini.operations.images import CreateImage
from glance_mini.operations.records import LoadImage, Ping
from glance_mini.testing import DataAccessContract
from glance_mini.testing.tables import make_tables


class MeasuredTestCase(testtools.TestCase):
    """Has a database of its own for each test."""

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.url = f"sqlite:///{os.path.join(directory.name, 'images.db')}"
        self.engine = make_engine(self.url)
        self.addCleanup(self.engine.dispose)
        make_tables(self.engine)

    def backend(self, event_rules=no_events, **values):
        return MeasuredDataAccess(SqlDataAccess(self.engine, event_rules=event_rules), **values)


class TestContract(DataAccessContract, MeasuredTestCase):
    """The suite that glance_mini asks every backend to pass."""

    def open_data_access(self, event_rules=no_events):
        return self.backend(event_rules)


class TestMeasures(MeasuredTestCase):
    def setUp(self):
        super().setUp()
        self.time = 0.0
        self.measured = self.backend(clock=self.tick)
        self.addCleanup(self.measured.close)

    def tick(self):
        """Let a quarter of a second pass at each look at the clock."""
        self.time += 0.25
        return self.time

    def test_calls_are_counted_and_timed_by_their_names(self):
        image = self.measured.run(CreateImage())
        for _ in range(3):
            self.assertEqual(image, self.measured.run(LoadImage(image.id)))
        expected = {"create_image": Measure(1, 0.25), "load_image": Measure(3, 0.75)}
        self.assertEqual(expected, self.measured.measures.snapshot())

    def test_a_call_that_fails_is_measured_and_fails(self):
        self.assertRaises(NotFound, self.measured.run, LoadImage("none"))
        self.assertEqual({"load_image": Measure(1, 0.25)}, self.measured.measures.snapshot())

    def test_a_snapshot_stays_as_it_is(self):
        self.measured.run(Ping())
        before = self.measured.measures.snapshot()
        self.measured.run(Ping())
        self.assertEqual({"ping": Measure(1, 0.25)}, before)

    def test_the_figures_are_logged_at_the_end_the_most_expensive_call_first(self):
        measured = self.backend(clock=self.tick)
        for _ in range(2):
            measured.run(Ping())
        self.assertRaises(NotFound, measured.run, LoadImage("none"))
        with self.assertLogs("acme_data", "INFO") as logged:
            measured.close()
        expected = ["ping: 2 times, 0.500 seconds.", "load_image: 1 times, 0.250 seconds."]
        self.assertEqual(expected, [record.getMessage() for record in logged.records])


class TestConfiguration(MeasuredTestCase):
    def test_the_configuration_chooses_it_by_its_entry_point(self):
        conf = configuration.load(files=[])
        conf.set_override("data_access", "measured", group="database")
        conf.set_override("connection", self.url, group="database")
        data = open_data_access(conf)
        self.addCleanup(data.close)
        self.assertIsInstance(data, MeasuredDataAccess)
        data.run(Ping())
        self.assertEqual(["ping"], list(data.measures.snapshot()))
