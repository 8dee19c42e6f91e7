"""The workers have about as many connections each, whichever of them is awake when connections come."""

import os
import signal
from collections import Counter

import testtools

from glance_mini.cmd.serve.balance import Balance
from tests.http_server.running import Client, Server

CONNECTIONS = 24
TRIES = 10


class TestBalance(testtools.TestCase):
    def test_worker_is_above_another_that_has_fewer(self):
        balance = Balance(3)
        first, second = balance.take(), balance.take()
        self.assertEqual((False, False), (balance.is_above_others(first), balance.is_above_others(second)))
        balance.count(first, 2)
        balance.count(second, 1)
        self.assertEqual((True, False), (balance.is_above_others(first), balance.is_above_others(second)))

    def test_place_of_a_worker_that_has_ended_is_taken_again_and_does_not_count(self):
        balance = Balance(2)
        first, second = balance.take(), balance.take()
        self.assertIsNone(balance.take())
        balance.count(first, 5)
        balance.free(second)
        self.assertFalse(balance.is_above_others(first))
        self.assertEqual(second, balance.take())
        self.assertTrue(balance.is_above_others(first))

    def test_worker_without_a_place_takes_what_comes(self):
        balance = Balance(1)
        balance.take()
        balance.count(None, 3)
        balance.free(None)
        self.assertFalse(balance.is_above_others(None))


class TestWorkers(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.useFixture(Server(workers=2))
        self.wait_for_both()

    def wait_for_both(self):
        """Return the processes that answer when both do, with all connections to them closed."""
        found = set()
        while len(found) < 2:
            client = Client(self, self.server)
            found.add(client.request("/small").json["pid"])
            client.close()
        return found

    def shares(self):
        """Return how many of many connections, which come at once and stay, each process has."""
        clients = [Client(self, self.server) for _ in range(CONNECTIONS)]
        shares = Counter(client.request("/small").json["pid"] for client in clients)
        for client in clients:
            client.close()
        return shares

    def assert_shared(self):
        """Fail unless each process has at least a third of the connections, in one of a few tries on a busy machine."""
        tries = []
        while len(tries) < TRIES:
            tries.append(self.shares())
            if len(tries[-1]) == 2 and min(tries[-1].values()) >= CONNECTIONS // 3:
                return
        self.fail(f"the connections are not shared: {tries}")

    def test_connections_that_come_at_once_are_shared(self):
        self.assert_shared()

    def test_worker_that_replaces_a_killed_one_takes_its_share(self):
        killed = min(self.wait_for_both())
        os.kill(killed, signal.SIGKILL)
        while killed in self.wait_for_both():
            pass
        self.assert_shared()
