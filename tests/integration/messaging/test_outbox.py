"""Events that are stored with their change all reach the real RabbitMQ, also where it was away for a while."""

import sqlite3
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from glance_mini.domain.event import Event
from glance_mini.notifications.confirmed import NotTaken, open_confirmed
from tests.integration.base import ServiceTestCase
from tests.integration.messaging.test_notifications import (
    CONFIGURATION,
    WAIT_SECONDS,
    Listener,
    NotificationTestCase,
    Wire,
)
from tests.unit.layers.support import make_conf

IMAGES = 20
RENAMES = 49
OUTBOX = "[notifications]\ndelivery = outbox\n"


class LookingListener(Listener):
    """Looks into the database for each event, as it arrives; ``unseen`` holds those that came before their change."""

    def __init__(self, url, topic):
        super().__init__(url, topic)
        self.database = None
        self.unseen = []

    def _hearing(self, priority):
        keep = super()._hearing(priority)

        def hear(endpoint, context, publisher_id, event_type, payload, metadata):
            if not self._is_seen(payload):
                self.unseen.append(payload)
            keep(endpoint, context, publisher_id, event_type, payload, metadata)

        return hear

    def _is_seen(self, payload):
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        try:
            found = connection.execute("SELECT name FROM images WHERE id = ?", (payload["id"],)).fetchone()
        finally:
            connection.close()
        # Names are numbers that grow, so an image that has been changed since shows a higher one.
        return found is not None and int(found[0]) >= int(payload["name"])


class OutboxTest(NotificationTestCase):
    def setUp(self):
        super().setUp()
        self.topic = f"glance_mini_{uuid.uuid4().hex}"
        self.listener = self.useFixture(LookingListener(self.broker, self.topic))
        self.wire = Wire(self.broker)
        self.addCleanup(self.wire.cut)

    def begin(self):
        """Start a service whose broker is at the end of the wire."""
        self.start(self.wire.url(), OUTBOX)
        self.listener.database = self.served.root / "glance-mini.db"

    def rename(self, path, names):
        """Give an image one name after another."""
        for name in names:
            self.patch(path, 200, op="replace", path="/name", value=str(name))

    def heard(self, count):
        """Return the names that each image was told to have, until ``count`` different events were heard."""
        told, names = set(), {}
        while len(told) < count:
            *_, payload = self.listener.take(1)[0]
            told.add((payload["id"], payload["name"]))
            names.setdefault(payload["id"], []).append(int(payload["name"]))
        return names

    def test_a_thousand_events_arrive_in_order_though_the_broker_is_away_for_a_while(self):
        self.wire.join()
        self.begin()
        paths = [self.create(name="0") for _ in range(IMAGES)]
        third = RENAMES // 3
        parts = (range(1, third), range(third, 2 * third), range(2 * third, RENAMES + 1))
        with ThreadPoolExecutor(4) as pool:
            for names, turn in zip(parts, (self.wire.cut, self.wire.join, lambda: None), strict=True):
                list(pool.map(lambda path, names=names: self.rename(path, names), paths))
                turn()
        self.assert_all_heard()

    def test_a_thousand_events_arrive_in_order_when_the_broker_comes_at_last(self):
        self.begin()
        paths = [self.create(name="0") for _ in range(IMAGES)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda path: self.rename(path, range(1, RENAMES + 1)), paths))
        self.assertEqual([], list(self.listener.heard.queue))
        with sqlite3.connect(self.listener.database) as database:
            self.assertEqual((IMAGES * (RENAMES + 1),), database.execute("SELECT count(*) FROM outbox").fetchone())
        database.close()
        self.wire.join()
        self.assert_all_heard()

    def assert_all_heard(self):
        """Every event comes, those of an image in their order, and none before its change is seen."""
        names = self.heard(IMAGES * (RENAMES + 1))
        for told in names.values():
            # The broker may have taken an event without our hearing of it; then it comes twice.
            self.assertEqual(list(range(RENAMES + 1)), [name for name, _ in groupby(told)])
        self.assertEqual(IMAGES, len(names))
        self.assertEqual([], self.listener.unseen)

    def test_events_outlive_a_service_that_never_met_its_broker(self):
        self.begin()
        path = self.create(name="0")
        self.rename(path, [1, 2])
        self.assertEqual(0, self.served.stop())
        self.assertEqual([], list(self.listener.heard.queue))
        self.wire.join()
        self.start_worker()
        self.assertEqual([[0, 1, 2]], list(self.heard(3).values()))

    def start_worker(self):
        """Start a worker of its own on the database of the service."""
        command = [sys.executable, "-m", "glance_mini.cmd.worker", "--config-file", str(self.served.config_file)]
        with open(self.served.log, "ab") as log:
            worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(worker.wait, WAIT_SECONDS)
        self.addCleanup(worker.terminate)


class ConfirmedTest(ServiceTestCase):
    def setUp(self):
        super().setUp()
        broker = self.service("rabbitmq")["TEST_RABBITMQ_URL"]
        topic = f"glance_mini_{uuid.uuid4().hex}"
        self.listener = self.useFixture(Listener(broker, topic))
        self.wire = Wire(broker)
        self.addCleanup(self.wire.cut)
        text = CONFIGURATION.format(url=self.wire.url(), topic=topic)
        self.send = open_confirmed(make_conf(self, text))

    def event(self, number):
        return Event("image.update", {"number": number}, "info", {"request_id": "req-1"})

    def test_an_event_that_the_broker_did_not_take_is_an_error_without_the_password(self):
        error = self.assertRaises(NotTaken, self.send, self.event(1))
        self.assertNotIn(self.wire.url(), str(error))
        self.wire.join()
        self.send(self.event(2))
        self.wire.cut()
        self.assertRaises(NotTaken, self.send, self.event(3))
        self.assertRaises(NotTaken, self.send, self.event(4))
        self.wire.join()
        for attempt in range(3):
            try:
                self.send(self.event(5))
            except NotTaken:
                self.assertLess(attempt, 2)
                continue
            break
        self.assertEqual([2, 5], [payload["number"] for *_, payload in self.listener.take(2)])
