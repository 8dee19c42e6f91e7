"""Stored events are published in their order, and forgotten only when the broker has taken them."""

import time
from datetime import timedelta

import testtools

from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics
from glance_mini.notifications.dispatcher import BATCH, Dispatcher
from glance_mini.operations.outbox import AddEvents, CountEvents, TakeEvents
from glance_mini.testing.timed import seconds_of
from tests.unit.layers.support import count
from tests.unit.workers.support import Clock, open_data


class Refused(Exception):
    """The broker is away."""


class Broker:
    """Takes events but for those whose number stands in ``refused``, once."""

    def __init__(self, *refused):
        self.taken = []
        self._refused = set(refused)

    def __call__(self, event):
        number = event.payload["number"]
        if number in self._refused:
            self._refused.discard(number)
            raise Refused
        self.taken.append(number)


class TestDispatcher(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.data = open_data(self, self.clock)
        self.metrics = Metrics()

    def make(self, send):
        return Dispatcher(self.data, send, self.metrics, clock=seconds_of(self.clock))

    def store(self, amount, image_id="i"):
        events = [Event("image.update", {"number": number}, image_id=image_id) for number in range(amount)]
        self.data.run(AddEvents(tuple(events)))

    def test_events_come_in_their_order_and_go_from_the_database(self):
        self.store(BATCH + 1)
        broker = Broker()
        dispatcher = self.make(broker)
        self.assertEqual([BATCH, 1, 0], [dispatcher.dispatch() for _ in range(3)])
        self.assertEqual(list(range(BATCH + 1)), broker.taken)
        self.assertEqual(0, self.data.run(CountEvents()))
        self.assertEqual(BATCH + 1, count(self.metrics.events, "sent"))

    def test_event_arrives_as_it_was_stored(self):
        heard = []
        caller, payload = {"request_id": "req-1"}, {"id": "i", "size": 2**40}
        self.data.run(AddEvents((Event("image.send", payload, "error", caller),)))
        self.make(heard.append).dispatch()
        (event,) = heard
        self.assertEqual(
            ("image.send", payload, "error", caller), (event.type, event.payload, event.priority, event.caller)
        )

    def test_event_that_the_broker_did_not_take_comes_again_before_later_ones(self):
        self.store(5)
        broker = Broker(2)
        dispatcher = self.make(broker)
        self.assertRaises(Refused, dispatcher.dispatch)
        self.assertEqual([0, 1], broker.taken)
        self.assertEqual(3, self.data.run(CountEvents()))
        dispatcher.dispatch()
        self.assertEqual([0, 1, 2, 3, 4], broker.taken)
        self.assertEqual(1, count(self.metrics.events, "failed"))

    def test_another_worker_goes_on_at_once_where_one_failed(self):
        self.store(3)
        self.assertRaises(Refused, self.make(Broker(0)).dispatch)
        broker = Broker()
        self.make(broker).dispatch()
        self.assertEqual([0, 1, 2], broker.taken)

    def test_nobody_publishes_on_when_its_claim_has_ended(self):
        self.store(3)
        first, second = [], Broker()

        def slow(event):
            first.append(event.payload["number"])
            self.clock.move(61)
            self.make(second).dispatch()

        self.make(slow).dispatch()
        self.assertEqual([0], first)
        self.assertEqual([0, 1, 2], second.taken)
        self.assertEqual(0, self.data.run(CountEvents()))

    def test_events_of_a_worker_that_died_come_when_its_claim_has_ended(self):
        self.store(2)
        self.data.run(TakeEvents("dead", timedelta(seconds=30), 1))
        broker = Broker()
        self.assertEqual(0, self.make(broker).dispatch())
        self.clock.move(31)
        self.make(broker).dispatch()
        self.assertEqual([0, 1], broker.taken)

    def test_thread_publishes_until_it_is_closed_also_after_the_broker_was_away(self):
        self.store(20)
        broker = Broker(0, 7, 8)
        dispatcher = Dispatcher(self.data, broker, self.metrics, interval=0.01, clock=seconds_of(self.clock))
        dispatcher.start()
        for _ in range(1000):
            if not self.data.run(CountEvents()):
                break
            time.sleep(0.01)
        dispatcher.close()
        self.assertEqual(list(range(20)), broker.taken)
