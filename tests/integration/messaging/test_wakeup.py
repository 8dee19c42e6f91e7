"""Workers that a real RabbitMQ wakes: an idle one begins a new job long before it would look by itself."""

import threading

from glance_mini.operations.jobs import AddJob
from glance_mini.workers.messaging import MessagingListener, MessagingWaker
from glance_mini.workers.wakeup import Wakeup, open_listener, open_waker
from tests.functional.test_worker import WorkerTestCase
from tests.integration.base import ServiceTestCase
from tests.unit.layers.support import make_conf
from tests.unit.workers.support import WAIT, Script, make_job, make_worker, open_data

HOUR = 3600


class BrokerTestCase(ServiceTestCase):
    """A configuration that names the broker."""

    def setUp(self):
        super().setUp()
        url = self.service("rabbitmq")["TEST_RABBITMQ_URL"]
        self.text = f"[DEFAULT]\ntransport_url = {url}\n"
        self.conf = make_conf(self, self.text)

    def make_waker(self):
        """Return a waker as the API has it."""
        waker = open_waker(self.conf)
        self.assertIsInstance(waker, MessagingWaker)
        self.addCleanup(waker.close)
        return waker

    def listen(self, wake):
        """Return a listener that listens."""
        listener = open_listener(self.conf, wake)
        self.assertIsInstance(listener, MessagingListener)
        listener.start()
        self.addCleanup(listener.close)
        self.assertTrue(listener.listening.wait(WAIT))


class WakeupTest(BrokerTestCase):
    def test_idle_worker_begins_a_new_job_at_once(self):
        data, done, wakeup = open_data(self), threading.Event(), Wakeup()
        self.listen(wakeup.wake)
        worker = make_worker(data, Script(lambda job, control: done.set() or {}), wakeup=wakeup, poll_interval=HOUR)
        worker.start()
        self.addCleanup(worker.join, WAIT)
        self.addCleanup(worker.stop)
        data.run(AddJob(make_job()))
        self.make_waker().wake()
        self.assertTrue(done.wait(WAIT))

    def test_all_workers_are_woken_and_again_at_each_wake(self):
        woken = [threading.Event(), threading.Event()]
        for event in woken:
            self.listen(event.set)
        waker = self.make_waker()
        for _ in range(3):
            waker.wake()
            for event in woken:
                self.assertTrue(event.wait(WAIT))
                event.clear()


class ProcessTest(WorkerTestCase, BrokerTestCase):
    def test_idle_worker_process_is_woken_and_ends_in_order(self):
        text = self.state.config_file.read_text().replace("poll_interval = 0.2", f"poll_interval = {HOUR}")
        self.state.config_file.write_text(self.text + text.replace("[DEFAULT]\n", ""))
        first = self.add()
        worker = self.start()
        self.wait_until(lambda: self.state_of(first) == "success")
        second = self.add()
        waker = self.make_waker()

        def is_done():
            # The process does not tell when it listens.
            waker.wake()
            return self.state_of(second) == "success"

        self.wait_until(is_done)
        self.assertEqual(0, worker.end())
