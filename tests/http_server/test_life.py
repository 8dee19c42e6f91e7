"""The life of the server: start, loss of a worker, orderly stop, and starts that fail."""

import os
import resource
import signal
import socket
import subprocess
import threading
from pathlib import Path

import fixtures
import testtools

from tests import programs
from tests.http_server.running import ROOT, TIMEOUTS, Client, Server, certificate, command, eventually


class TestLife(testtools.TestCase):
    def start(self, **settings):
        return self.useFixture(Server(**settings))

    def answer_later(self, server, path):
        """Request `path` in a thread; return a function that waits for the answer."""
        answers = []
        client = Client(self, server)
        thread = threading.Thread(target=lambda: answers.append(client.request(path)))
        thread.start()
        self.addCleanup(thread.join)

        def answer():
            thread.join()
            return answers[0]

        return answer

    def start_waiting(self):
        """Return a server that answers a request when it is let go, and a function that waits for the answer."""
        server = self.start()
        # The only other one who listens is the server then.
        server.listener.close()
        answer = self.answer_later(server, "/wait")
        eventually((server.directory / "waiting").exists, "the request began")
        return server, answer

    def assert_stops_in_order(self, number):
        server, answer = self.start_waiting()
        server.process.send_signal(number)
        eventually(server.refuses_connections, "new connections are refused")
        server.let_go()
        self.assertEqual((0, b"stopped\n"), server.end())
        self.assertEqual((200, "close"), (answer().status, answer().headers["connection"]))
        self.assertEqual(1, len(list(server.directory.glob("closed-*"))))

    def test_sigterm_lets_running_requests_end(self):
        self.assert_stops_in_order(signal.SIGTERM)

    def test_sigint_lets_running_requests_end(self):
        self.assert_stops_in_order(signal.SIGINT)

    def test_sigint_that_reaches_the_workers_too_lets_running_requests_end(self):
        server, answer = self.start_waiting()
        worker = Client(self, server).request("/small").json["pid"]
        os.kill(worker, signal.SIGINT)
        server.process.send_signal(signal.SIGINT)
        eventually(server.refuses_connections, "new connections are refused")
        server.let_go()
        self.assertEqual((0, b"stopped\n"), server.end())
        self.assertEqual(200, answer().status)

    def test_request_beyond_the_grace_time_does_not_hold_up_the_stop(self):
        server = self.start(graceful_timeout=1)
        client = Client(self, server)
        client.send("GET /sleep?seconds=60 HTTP/1.1\r\nHost: test\r\n\r\n")
        eventually((server.directory / "sleeping").exists, "the request began")
        self.assertEqual((0, b"stopped\n"), server.stop())
        self.assertEqual(b"", client.rest())

    def test_stop_right_after_the_start_is_orderly(self):
        server = self.start(workers=3)
        self.assertEqual((0, b"stopped\n"), server.stop())

    def test_half_sent_head_does_not_hold_up_the_stop(self):
        server = self.start()
        Client(self, server).send("GET /small HTTP/1.1\r\n")
        self.assertEqual((0, b"stopped\n"), server.stop())

    def test_new_connections_are_refused_while_stopping(self):
        server, answer = self.start_waiting()
        server.process.terminate()
        eventually(server.refuses_connections, "new connections are refused")
        self.assertIsNone(server.process.poll())
        server.let_go()
        self.assertEqual(200, answer().status)

    def test_worker_that_dies_is_replaced(self):
        server = self.start(workers=1)
        first = Client(self, server).request("/small").json["pid"]
        client = Client(self, server)
        client.send("GET /die HTTP/1.1\r\nHost: test\r\n\r\n")
        self.assertEqual(b"", client.rest())
        self.assertNotEqual(first, Client(self, server).request("/small").json["pid"])
        self.assertEqual(0, server.stop()[0])

    def test_threads_started_by_the_application_live_in_the_worker(self):
        client = Client(self, self.start())
        eventually(lambda: client.request("/small").json["ticks"] > 5, "the thread of the application runs")

    def test_child_started_is_called_in_the_worker_before_the_application_is_built(self):
        self.assertIs(True, Client(self, self.start()).request("/small").json["started"])

    def test_metrics_of_an_earlier_run_and_gauges_of_a_lost_worker_are_removed(self):
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        (directory / "counter_1.db").touch()
        server = self.start(workers=1, metrics=str(directory))
        self.assertEqual([], list(directory.iterdir()))
        worker = Client(self, server).request("/small").json["pid"]
        gauge, counter = directory / f"gauge_livesum_{worker}.db", directory / f"counter_{worker}.db"
        gauge.touch()
        counter.touch()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: not gauge.exists(), "the gauges of the lost worker are removed")
        self.assertTrue(counter.exists())

    def test_worker_without_free_file_descriptors_goes_on_later(self):
        server = self.start(workers=1)
        worker = Client(self, server).request("/small").json["pid"]
        in_use = len(os.listdir(f"/proc/{worker}/fd"))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (in_use + 5, in_use + 5))
        clients = [Client(self, server) for _ in range(20)]
        eventually(lambda: "Cannot accept connections" in server.log, "the failure was logged")
        for client in clients:
            client.close()
        self.assertEqual(worker, Client(self, server).request("/small").json["pid"])

    def test_sighup_lets_the_application_read_again_in_the_same_process(self):
        server = self.start(workers=1)
        client = Client(self, server)
        first = client.request("/small").json["pid"]
        server.process.send_signal(signal.SIGHUP)
        read = server.directory / "read-again"
        eventually(read.exists, "the application was told")
        self.assertEqual((str(first), first), (read.read_text(), client.request("/small").json["pid"]))

    def test_application_learns_what_was_answered(self):
        server = self.start()
        (server.directory / "data").write_bytes(b"x" * 5000)
        answers = [
            Client(self, server).request(path, **arguments)
            for path, arguments in (
                ("/small", {}),
                ("/count", {"method": "PUT", "body": b"12345"}),
                ("/file?name=data&offset=1000", {}),
                ("/stream?count=2", {}),
                ("/refuse", {}),
            )
        ]
        lines = server.directory / "requests"
        eventually(lambda: lines.exists() and lines.read_text().count("\n") == 5, "all requests were logged")
        found = [line.split() for line in lines.read_text().splitlines()]
        sizes = [len(answer.body) for answer in answers]
        paths = ["/small", "/count", "/file", "/stream", "/refuse"]
        self.assertEqual([4000, 2 << 20], sizes[2:4])
        self.assertEqual(
            sorted(zip(paths, (200, 200, 200, 200, 403), (0, 5, 0, 0, 0), sizes, strict=True)),
            sorted((path, int(status), int(received), int(sent)) for path, status, received, sent, _ in found),
        )
        self.assertTrue(all(0 < float(seconds) < 30 for *_, seconds in found))

    def test_unix_socket_and_several_addresses_are_served(self):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, "socket")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        server = self.start(bind=["127.0.0.1:0", f"unix:{path}"])
        server.address = path
        headers = "X-Forwarded-Proto: https\r\nScript_Name: /environ\r\n"
        answer = Client(self, server).request("/environ", headers=headers).json
        self.assertEqual(("http", ""), (answer["wsgi.url_scheme"], answer["SCRIPT_NAME"]))
        self.assertEqual(0, server.stop()[0])
        self.assertFalse(os.path.exists(path))


class TestFailedStarts(testtools.TestCase):
    def assert_fails(self, code, pattern, **settings):
        """The server ends by itself with `code`; what it says has `pattern`. Returns what it says."""
        directory = self.useFixture(fixtures.TempDir()).path
        arguments = command({"bind": ["127.0.0.1:0"], **settings}, directory)
        ended = programs.run(*arguments, cwd=ROOT, timeout=TIMEOUTS)
        self.assertEqual(code, ended.returncode)
        self.assertIn(pattern, ended.stderr)
        return ended.stderr

    def test_address_in_use_is_one_line(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            words = self.assert_fails(1, f"cannot listen on {address}: Address already in use", bind=[address])
        self.assertEqual(1, words.count("\n"))

    def test_unix_socket_in_use_is_left_alone(self):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, "socket")
        with socket.socket(socket.AF_UNIX) as taken:
            taken.bind(path)
            taken.listen()
            self.assert_fails(1, "Address already in use", bind=[f"unix:{path}"])
            self.assertTrue(os.path.exists(path))

    def test_malformed_addresses_are_one_line(self):
        for address in ("127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "fd://x", "no.such.host.invalid:1"):
            words = self.assert_fails(1, f"cannot listen on {address}", bind=[address])
            self.assertEqual(1, words.count("\n"), words)

    def test_certificate_that_cannot_be_read_is_one_line(self):
        words = self.assert_fails(1, "/no/such.pem: No such file", tls_certificate="/no/such.pem")
        self.assertEqual(1, words.count("\n"))
        directory = self.useFixture(fixtures.TempDir()).path
        certificate_file, _, _ = certificate(directory)
        self.assert_fails(1, "cannot use the certificate", tls_certificate=certificate_file)

    def test_application_that_cannot_be_built_stops_the_server(self):
        self.assert_fails(3, "cannot be built", fail=True)


class TestCommand(testtools.TestCase):
    def test_only_the_server_imports_gunicorn(self):
        code = "import sys, glance_mini.cmd, glance_mini.cmd.serve.settings; sys.exit('gunicorn' in sys.modules)"
        self.assertEqual(0, subprocess.run([os.sys.executable, "-c", code], check=False).returncode)

    def test_master_does_not_import_what_only_the_application_needs(self):
        code = (
            "import sys, glance_mini.cmd.serve.server as s;"
            "sys.exit(bool({'sqlalchemy', 'webob', 'oslo_config', 'prometheus_client'} & set(sys.modules)))"
        )
        self.assertEqual(0, subprocess.run([os.sys.executable, "-c", code], check=False).returncode)
