"""A process misses no event of the log, whatever the order in which changes end."""

from testtools import TestCase

from glance_mini.db.sqlalchemy.models import event_log
from glance_mini.event_stream import tail
from glance_mini.event_stream.tail import LogTail
from glance_mini.testing.data_access.samples import NOW
from tests.unit.db.test_sqlite import open_on


class TestLogTail(TestCase):
    def setUp(self):
        super().setUp()
        self.data = open_on("sqlite://")
        self.addCleanup(self.data.close)
        self.time = 0.0
        self.tail = LogTail(self.data.run, lambda: self.time)

    def store(self, *ids):
        """Make events with these ids visible."""
        with self.data.engine.connect() as connection:
            for number in ids:
                body = f'{{"data":{{"id":"{number}"}},"after":{{}}}}'
                row = {"id": number, "created_at": NOW, "type": "image.update", "body": body}
                connection.execute(event_log.insert(), row)

    def read(self):
        """Return each new event with the position after it."""
        return [(event.id, self.tail.position) for event in self.tail.read()]

    def test_events_come_once_in_the_order_of_their_ids(self):
        self.tail.restart()
        self.store(2, 1, 3)
        self.assertEqual([(1, 1), (2, 2), (3, 3)], self.read())
        self.assertEqual([], self.read())

    def test_event_that_appears_late_comes_and_the_position_waits_for_it(self):
        self.tail.restart()
        self.store(1, 4, 6)
        self.assertEqual([(1, 1), (4, 1), (6, 1)], self.read())
        self.store(3, 7)
        self.assertEqual([(3, 1), (7, 1)], self.read())
        self.store(2, 5)
        self.assertEqual([(2, 4), (5, 7)], self.read())

    def test_id_that_never_comes_is_given_up(self):
        self.tail.restart()
        self.store(1, 3)
        self.read()
        self.time = tail.GRACE + 1
        self.read()
        self.assertEqual(3, self.tail.position)

    def test_more_events_than_one_read_returns_all_come(self):
        self.tail.restart()
        self.store(*range(1, tail.BATCH + 3))
        self.assertEqual(list(range(1, tail.BATCH + 3)), [number for number, _ in self.read()])

    def test_late_event_comes_also_if_it_was_not_there_at_the_start(self):
        self.store(5, 7)
        self.tail.restart()
        self.assertEqual(5, self.tail.position)
        self.store(6)
        self.assertEqual([(6, 7)], self.read())

    def test_client_that_comes_back_gets_what_is_behind_its_position(self):
        self.store(5, 6)
        self.tail.restart()
        self.store(9, 8)
        self.read()
        self.assertEqual([6, 8, 9], [event.id for event in self.tail.since(5)])
        self.assertEqual([], list(self.tail.since(9)))

    def test_position_before_what_is_known_or_behind_it_is_unknown(self):
        self.store(5, 6)
        self.tail.restart()
        self.assertEqual([5, 6], [event.id for event in self.tail.since(4)])
        self.assertIsNone(self.tail.since(3))
        self.assertIsNone(self.tail.since(7))

    def test_only_the_last_events_are_kept(self):
        self.tail.restart()
        last = tail.RECENT + 5
        self.store(*range(1, last + 1))
        self.read()
        self.assertEqual(tail.RECENT, len(self.tail.since(5)))
        self.assertIsNone(self.tail.since(4))

    def test_large_gap_takes_little_memory(self):
        self.tail.restart()
        self.store(1, 10**12)
        self.assertEqual([1, 10**12], [number for number, _ in self.read()])
        self.store(10**12 - 1)
        self.assertEqual([10**12 - 1], [number for number, _ in self.read()])
