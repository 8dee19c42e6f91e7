"""Caches that a real RabbitMQ tells that an image was deleted or deactivated."""

import threading

from glance_mini.workers.messaging import MessagingListener, MessagingWaker
from glance_mini.workers.wakeup import open_cache_listener, open_cache_waker
from tests.integration.messaging.test_wakeup import BrokerTestCase
from tests.unit.workers.support import WAIT


class CachesTest(BrokerTestCase):
    def test_every_node_is_told_and_no_worker(self):
        nodes, worker = [threading.Event(), threading.Event()], threading.Event()
        for node in nodes:
            listener = open_cache_listener(self.conf, node.set)
            self.assertIsInstance(listener, MessagingListener)
            listener.start()
            self.addCleanup(listener.close)
            self.assertTrue(listener.listening.wait(WAIT))
        self.listen(worker.set)
        waker = open_cache_waker(self.conf)
        self.assertIsInstance(waker, MessagingWaker)
        self.addCleanup(waker.close)
        waker.wake()
        self.assertEqual([True, True], [node.wait(WAIT) for node in nodes])
        self.assertFalse(worker.wait(0.5))
