"""A connection that the application takes holds no thread and no place of the server."""

import testtools

from tests.http_server.running import Shared, SharedWithTLS

LEAVE = "GET /leave HTTP/1.1\r\nHost: test\r\n\r\n"


class Leaving:
    settings = {"threads": 2}

    def test_application_sends_the_answer_itself(self):
        client = self.client()
        client.send(LEAVE)
        lines = client.head().split(b"\r\n")
        self.assertEqual(b"HTTP/1.1 200 OK", lines[0])
        self.assertIn(b"Connection: close", lines)
        self.assertIn(b"Content-Type: text/plain", lines)
        self.assertNotIn(b"chunked", b"".join(lines))
        client.send("1", "2")
        self.assertEqual(b"one\ntwo\n", client.rest())

    def test_more_clients_than_threads_do_not_keep_the_server_from_answering(self):
        gone = [self.client() for _ in range(20)]
        for client in gone:
            client.send(LEAVE)
            client.head()
        self.assertEqual(200, self.client().request("/small").status)
        for client in gone:
            client.send("1", "2")
            self.assertEqual(b"one\ntwo\n", client.rest())


class TestLeaving(Leaving, Shared, testtools.TestCase):
    pass


class TestLeavingWithTLS(Leaving, SharedWithTLS, testtools.TestCase):
    def client(self):
        return super().client(tls=self.tls)
