"""Exchanges with a server over TLS: kept connections, deadlines, and answers that are wrong."""

import socket
import ssl
import threading
import time
from pathlib import Path

import fixtures
import testtools

from glance_mini.db.connections import Connections, NotReached, Reply
from tests.unit.db.tls_server import Server

LIMIT = 1000
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ConnectionsTest(testtools.TestCase):
    def connections(self, *answers, kept=4):
        """Return connections to a server with these answers."""
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.server = self.useFixture(Server(folder, *answers))
        made = Connections("localhost", self.server.port, self.server.context, kept)
        self.addCleanup(made.close)
        return made

    def post(self, connections, seconds=10.0, connect=10.0, limit=LIMIT):
        return connections.post("/path", b"{}", time.monotonic() + seconds, connect, limit)

    def test_head_and_body_arrive_together_and_the_connection_is_used_again(self):
        connections = self.connections(GOOD, GOOD, GOOD)
        self.assertEqual([Reply(200, b"ok")] * 3, [self.post(connections) for _ in range(3)])
        self.assertEqual(1, self.server.accepted)
        self.assertEqual(3, len(self.server.requests))
        head, _, body = self.server.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.assertEqual(("POST /path HTTP/1.1", b"{}"), (lines[0], body))
        self.assertIn(f"Host: localhost:{self.server.port}", lines)
        self.assertIn("Content-Length: 2", lines)

    def test_an_answer_in_small_pieces_is_whole(self):
        def slowly(sock):
            for byte in GOOD:
                sock.sendall(bytes([byte]))
            return True

        connections = self.connections(slowly, GOOD)
        self.assertEqual([Reply(200, b"ok")] * 2, [self.post(connections) for _ in range(2)])
        self.assertEqual(1, self.server.accepted)

    def test_a_connection_that_the_server_closes_is_not_used_again(self):
        closing = b"HTTP/1.1 422 Unprocessable Content\r\nConnection: close\r\ncontent-length:0\r\n\r\n"
        connections = self.connections(closing, GOOD)
        self.assertEqual([Reply(422, b""), Reply(200, b"ok")], [self.post(connections) for _ in range(2)])
        self.assertEqual(2, self.server.accepted)

    def test_a_connection_that_ended_while_idle_is_replaced(self):
        def once(sock):
            sock.sendall(GOOD)
            return False

        connections = self.connections(once, once, GOOD)
        for _ in range(3):
            self.assertEqual(Reply(200, b"ok"), self.post(connections))
            time.sleep(0.1)
        self.assertEqual(3, self.server.accepted)

    def test_the_deadline_holds_for_the_whole_exchange(self):
        def stop(sock):
            sock.sendall(GOOD[:-2])
            time.sleep(3)
            return False

        def trickle(sock):
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500:
                time.sleep(0.02)
                sock.sendall(bytes([byte]))
            return True

        for silent in (stop, trickle):
            connections = self.connections(silent)
            began = time.monotonic()
            self.assertRaises(TimeoutError, self.post, connections, seconds=0.5)
            self.assertLess(time.monotonic() - began, 2)

    def test_wrong_answers_are_errors_and_end_the_connection(self):
        for answer in (
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"SSH-2.0-x\r\n\r\n",
            b"x" * 20_000,
            lambda sock: False,
            lambda sock: bool(sock.sendall(GOOD[:-1])),
        ):
            connections = self.connections(answer, GOOD)
            self.assertRaises(OSError, self.post, connections)
            self.assertEqual(Reply(200, b"ok"), self.post(connections))
            self.assertEqual(2, self.server.accepted)

    def test_a_server_that_is_not_there_has_not_seen_the_request(self):
        connections = self.connections()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        away = Connections("localhost", port, self.server.context, 4)
        self.assertRaises(NotReached, self.post, away)
        self.assertEqual([], self.server.requests)
        connections.close()

    def test_a_server_that_accepts_and_stays_silent_costs_the_time_to_connect(self):
        self.connections()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            silent = Connections("localhost", listener.getsockname()[1], self.server.context, 4)
            began = time.monotonic()
            self.assertRaises(NotReached, self.post, silent, connect=0.3)
            self.assertLess(time.monotonic() - began, 2)

    def test_a_server_with_another_certificate_is_not_reached(self):
        connections = self.connections(GOOD)
        other = ssl.create_default_context()
        wrong = Connections("localhost", self.server.port, other, 4)
        self.assertRaises(NotReached, self.post, wrong)
        self.assertEqual([], self.server.requests)
        connections.close()

    def test_no_more_than_some_connections_are_kept(self):
        barrier = threading.Barrier(3)

        def together(sock):
            barrier.wait(10)
            sock.sendall(GOOD)
            return True

        connections = self.connections(*[together] * 3, kept=2)
        threads = [threading.Thread(target=self.post, args=(connections,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((3, 2), (self.server.accepted, len(connections._idle)))

    def test_closing_ends_idle_connections_and_keeps_no_further_one(self):
        connections = self.connections(GOOD, GOOD)
        self.post(connections)
        connections.close()
        self.assertEqual(Reply(200, b"ok"), self.post(connections))
        self.assertEqual((2, 0), (self.server.accepted, len(connections._idle)))
