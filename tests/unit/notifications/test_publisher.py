"""The way of an event from a request to the broker: it never holds anybody up, and nothing is lost unseen."""

import os
import subprocess
import sys
import threading
from typing import Any

import fixtures
import testtools

from glance_mini import conf as configuration
from glance_mini.domain.event import Event
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Publisher
from tests.unit.layers.support import count

NOBODY: frozenset[str] = frozenset()
WAIT = 10.0


class TestQueue(testtools.TestCase):
    def make(self, send: Any, size: int = 100, disabled: frozenset[str] = NOBODY) -> Publisher:
        self.metrics = Metrics()
        publisher = Publisher(send, self.metrics, size, disabled)
        self.addCleanup(publisher.close)
        return publisher

    def outcome(self, name: str) -> float:
        return count(self.metrics.events, name)

    def test_events_are_sent_in_their_order_and_counted(self) -> None:
        sent: list[Event] = []
        publisher = self.make(sent.append)
        publisher.start()
        events = [Event(f"image.{number}", {}) for number in range(50)]
        for event in events:
            publisher.publish(event)
        publisher.close()
        self.assertEqual(events, sent)
        self.assertEqual(50, self.outcome("sent"))

    def test_events_of_several_threads_all_arrive(self) -> None:
        sent: list[Event] = []
        publisher = self.make(sent.append, size=1000)
        publisher.start()

        def speak(number: int) -> None:
            for each in range(20):
                publisher.publish(Event(f"{number}.{each}", {}))

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        publisher.close()
        self.assertEqual(160, len({event.type for event in sent}))

    def test_a_broker_that_says_nothing_holds_nobody_up_and_what_is_too_much_is_dropped(self) -> None:
        entered, answer = threading.Event(), threading.Event()
        self.addCleanup(answer.set)

        def silent(event: Event) -> None:
            entered.set()
            answer.wait(WAIT)

        log = self.useFixture(fixtures.FakeLogger())
        publisher = self.make(silent, size=3)
        publisher.start()
        publisher.publish(Event("image.first", {}))
        self.assertTrue(entered.wait(WAIT))
        for _ in range(5):
            publisher.publish(Event("image.later", {}))
        self.assertEqual(2, self.outcome("dropped"))
        self.assertIn("image.later was dropped", log.output)
        answer.set()
        publisher.close()
        self.assertEqual(4, self.outcome("sent"))

    def test_closing_does_not_wait_for_a_silent_broker_for_ever(self) -> None:
        entered, answer = threading.Event(), threading.Event()
        self.addCleanup(answer.set)

        def silent(event: Event) -> None:
            entered.set()
            answer.wait(WAIT)

        publisher = self.make(silent, size=1)
        publisher.start()
        publisher.publish(Event("image.x", {}))
        self.assertTrue(entered.wait(WAIT))
        publisher.publish(Event("image.y", {}))
        publisher.close(timeout=0.01)
        self.assertFalse(answer.is_set())

    def test_an_event_that_cannot_be_sent_is_counted_and_the_next_one_goes_out(self) -> None:
        sent: list[str] = []

        def moody(event: Event) -> None:
            if event.type == "image.bad":
                raise ConnectionError("no broker")
            sent.append(event.type)

        log = self.useFixture(fixtures.FakeLogger())
        publisher = self.make(moody)
        publisher.start()
        for name in ("image.bad", "image.good"):
            publisher.publish(Event(name, {}))
        publisher.close()
        self.assertEqual(["image.good"], sent)
        self.assertEqual((1, 1), (self.outcome("failed"), self.outcome("sent")))
        self.assertIn("image.bad could not be sent", log.output)

    def test_disabled_types_and_groups_are_not_queued(self) -> None:
        sent: list[str] = []
        publisher = self.make(lambda event: sent.append(event.type), disabled=frozenset({"image.send", "task"}))
        publisher.start()
        for name in ("image.send", "task.create", "image.member.create", "image"):
            publisher.publish(Event(name, {}))
        publisher.close()
        self.assertEqual(["image.member.create", "image"], sent)

    def test_without_a_listener_nothing_is_queued_and_no_thread_runs(self) -> None:
        publisher = self.make(None, size=1)
        publisher.start()
        for _ in range(5):
            publisher.publish(Event("image.x", {}))
        publisher.close()
        self.assertEqual(0, self.outcome("dropped"))

    def test_closing_one_that_was_never_started_is_fine(self) -> None:
        self.make(lambda event: None).close()


class TestDrivers(testtools.TestCase):
    def write(self, text: str) -> str:
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, "glance-mini.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def make(self, text: str) -> Publisher:
        conf = configuration.load([], files=[self.write(text)])
        self.metrics = Metrics()
        publisher = Publisher.from_config(conf, self.metrics)
        self.addCleanup(publisher.close)
        return publisher

    def test_the_log_driver_writes_events_as_the_operator_named_the_publisher(self) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=10))
        publisher = self.make(
            "[DEFAULT]\ndefault_publisher_id = image.here\n[oslo_messaging_notifications]\ndriver = log\n"
        )
        publisher.start()
        caller = {"request_id": "req-1", "project_id": "p1"}
        for priority in ("info", "warn", "error"):
            publisher.publish(Event(f"image.{priority}", {"id": "i1"}, priority, caller))
        publisher.close()
        self.assertEqual(3, count(self.metrics.events, "sent"))
        for part in ('"event_type": "image.warn"', '"publisher_id": "image.here"', '"id": "i1"', '"priority": "ERROR"'):
            self.assertIn(part, log.output)

    def test_the_noop_driver_and_none_send_nothing(self) -> None:
        section = "[oslo_messaging_notifications]\ndriver ="
        for text in ("", f"{section} noop\n", f"{section}\n"):
            publisher = self.make(text)
            publisher.start()
            publisher.publish(Event("image.x", {}))
            publisher.close()
            self.assertEqual(0, count(self.metrics.events, "sent"), text)

    def test_disabled_notifications_come_from_the_configuration(self) -> None:
        publisher = self.make(
            "[DEFAULT]\ndisabled_notifications = image.send, task\n[oslo_messaging_notifications]\ndriver = log\n"
        )
        publisher.start()
        for name in ("image.send", "task.run", "image.create"):
            publisher.publish(Event(name, {}))
        publisher.close()
        self.assertEqual(1, count(self.metrics.events, "sent"))

    def test_oslo_messaging_is_imported_only_for_a_driver(self) -> None:
        program = (
            "import sys\n"
            "from glance_mini import conf\n"
            "from glance_mini.metrics import Metrics\n"
            "from glance_mini.notifications.publisher import Publisher\n"
            "Publisher.from_config(conf.load([], files=[sys.argv[1]]), Metrics())\n"
            "print('oslo_messaging' in sys.modules)\n"
        )
        section = "[oslo_messaging_notifications]\ndriver = "
        for text, imported in (("", "False"), (f"{section}noop\n", "False"), (f"{section}log\n", "True")):
            command = [sys.executable, "-c", program, self.write(text)]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
            self.assertEqual(imported, answer.stdout.strip(), text)
