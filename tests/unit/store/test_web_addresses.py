"""To which addresses the guarded client connects, and how it asks: redirects, names that change, proxies."""

import socket
import ssl
from pathlib import Path

import fixtures
import testtools

from glance_mini.fetching.uri_filter import Choice, UriFilter
from glance_mini_store.drivers.http import HttpDriver
from glance_mini_store.errors import AddressRefused, BadStoreConfiguration, FetchBroken, FetchRefused
from glance_mini_store.web.client import Request, WebClient
from glance_mini_store.web.proxy import Proxy
from glance_mini_store.web.timeouts import Timeouts
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.jobs.certificates import tls_pair


class Forbidden(fixtures.Fixture):
    """A port at an address that nobody may connect to; ``visits`` counts who did."""

    def __init__(self, port, host="127.0.0.2"):
        super().__init__()
        self.port, self.host = port, host

    def _setUp(self):
        self.listener = socket.create_server((self.host, self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.setblocking(False)
        self.addCleanup(self.listener.close)

    @property
    def visits(self):
        count = 0
        while True:
            try:
                self.listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


def redirect(location):
    return response(status="302 Found", Location=location)


class AddressCase(testtools.TestCase):
    def serve(self, *answers, **values):
        return self.useFixture(RawServer(*answers, **values))

    def driver(self, follows_hosts=True, **values):
        """Return a driver that may read from 127.0.0.1 and nowhere else."""
        driver = HttpDriver(WebClient(follows_hosts=follows_hosts), Timeouts(total=30, idle=10))
        driver.guard(UriFilter(**{"ports": Choice(), "allowed_hosts": ["127.0.0.1"], **values}))
        return driver

    def paths(self, server):
        return [head.split()[1] for head in server.asked]


class TestRedirects(AddressCase):
    def test_raw_utf8_and_spaces_in_a_redirect_are_encoded_once(self):
        for location, asked in (
            ("/café.img", "/caf%C3%A9.img"),
            ("/caf%C3%A9.img", "/caf%C3%A9.img"),
            ("/my image.img", "/my%20image.img"),
            ("/a%20b c?d=é f&g=%25", "/a%20b%20c?d=%C3%A9%20f&g=%25"),
            ("  /padded  ", "/padded"),
            ("/日本", "/%E6%97%A5%E6%9C%AC"),
        ):
            server = self.serve(redirect(location), response(b"data"))
            self.assertEqual(b"data", b"".join(self.driver().read(server.url("/x"))))
            self.assertEqual(["/x", asked], self.paths(server))

    def test_bytes_that_are_no_utf8_are_encoded_as_they_are(self):
        answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /caf\xe9.img\r\n\r\n"
        server = self.serve(answer, response(b"data"))
        self.assertEqual(b"data", b"".join(self.driver().read(server.url())))
        self.assertEqual(["/", "/caf%E9.img"], self.paths(server))

    def test_such_redirects_are_filtered_as_all_are(self):
        for location in (
            "http://127.0.0.2/café",
            "http://127.0.0.2/a b",
            "http://127.0.0.2 /",
            "http://exämple/",
            "\\\\127.0.0.2/",
        ):
            server = self.serve(redirect(location), response(b"data"))
            self.assertRaises((AddressRefused, FetchBroken), self.driver().read, server.url())
            self.assertEqual(1, len(server.asked))

    def test_a_redirect_to_nowhere_is_refused(self):
        for location in ("", " "):
            server = self.serve(redirect(location))
            self.assertRaises(FetchRefused, self.driver().read, server.url())

    def test_a_redirect_to_a_refused_address_is_refused_for_every_call(self):
        forbidden = self.useFixture(Forbidden(0))
        server = self.serve(redirect(f"http://127.0.0.2:{forbidden.port}/"))
        for driver in (self.driver(), self.driver().trusting()):
            self.assertRaises(AddressRefused, driver.read, server.url())
            self.assertRaises(AddressRefused, driver.size, server.url())
        self.assertEqual(0, forbidden.visits)

    def test_another_host_is_followed_only_if_that_is_allowed(self):
        names = {"allowed_hosts": ["a.example", "b.example"], "resolver": lambda host, port: ["127.0.0.1"]}
        server = self.serve(response(b"data"))
        first = self.serve(redirect(server.url(host="b.example")))
        url = first.url(host="a.example")
        self.assertIn("another host", str(self.assertRaises(AddressRefused, self.driver(False, **names).read, url)))
        self.assertIn("another host", str(self.assertRaises(AddressRefused, self.driver(False, **names).size, url)))
        self.assertEqual([], server.asked)
        self.assertEqual(b"data", b"".join(self.driver(True, **names).read(url)))
        same = self.serve(redirect(server.url(host="a.example")))
        self.assertEqual(b"data", b"".join(self.driver(False, **names).read(same.url(host="a.example"))))

    def test_an_operator_vouches_for_one_server_only(self):
        data = self.serve(response(b"data"))
        driver = self.driver(False, allowed_hosts=[]).trusting()
        self.assertEqual(b"data", b"".join(driver.read(data.url())))
        server = self.serve(redirect("/other"), response(b"data"))
        self.assertEqual(b"data", b"".join(driver.read(server.url())))
        self.assertRaises(AddressRefused, driver.read, self.serve(redirect(data.url())).url())
        self.assertRaises(AddressRefused, self.driver(allowed_hosts=[]).read, data.url())


class TestNames(AddressCase):
    def test_a_name_that_is_rebound_after_the_check_is_never_followed(self):
        server = self.serve(response(b"data"))
        forbidden = self.useFixture(Forbidden(server.port))
        answers = [["127.0.0.1"]]
        driver = self.driver(resolver=lambda host, port: answers[-1])
        url = server.url(host="rebound.example")
        self.assertEqual(4, driver.size(url))
        self.assertEqual(b"data", b"".join(driver.read(url)))
        answers.append(["127.0.0.2"])
        for _ in range(2):
            self.assertRaises(AddressRefused, driver.read, url)
            self.assertRaises(AddressRefused, driver.size, url)
        self.assertEqual(0, forbidden.visits)

    def test_the_address_of_the_check_is_the_one_of_the_connection(self):
        server = self.serve(response(b"data"))
        forbidden = self.useFixture(Forbidden(server.port))
        answers = iter([["127.0.0.1"]])
        driver = self.driver(resolver=lambda host, port: next(answers, ["127.0.0.2"]))
        self.assertEqual(b"data", b"".join(driver.read(server.url(host="rebound.example"))))
        self.assertEqual(0, forbidden.visits)

    def test_of_allowed_and_refused_addresses_only_the_allowed_ones_are_connected_to(self):
        server = self.serve(response(b"data"))
        forbidden = self.useFixture(Forbidden(server.port))
        mixed = self.driver(resolver=lambda host, port: ["127.0.0.2", "127.0.0.1"])
        self.assertEqual(b"data", b"".join(mixed.read(server.url(host="mixed.example"))))
        # Nor when the allowed one takes no connection.
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        other = self.useFixture(Forbidden(port))
        self.assertRaises(FetchBroken, mixed.read, f"http://mixed.example:{port}/")
        bad = self.driver(resolver=lambda host, port: ["127.0.0.2", "127.0.0.3"])
        self.assertRaises(AddressRefused, bad.read, server.url(host="bad.example"))
        self.assertEqual((0, 0), (forbidden.visits, other.visits))


class TestProxies(AddressCase):
    def client(self, proxy, **values):
        named = Proxy.from_url(f"http://us%40er:word@127.0.0.1:{proxy.port}")
        judge = UriFilter(**{"ports": Choice(), "resolver": lambda host, port: ["198.41.0.4"], **values})
        return WebClient(judge, proxies={"http": named, "https": named}, tls=values.pop("tls", None))

    def test_a_proxy_is_asked_for_the_whole_address(self):
        proxy = self.serve(response(b"data"))
        driver = HttpDriver(self.client(proxy))
        self.assertEqual(b"data", b"".join(driver.read("http://web.example:8080/a?b")))
        (head,) = proxy.asked
        self.assertTrue(head.startswith("GET http://web.example:8080/a?b HTTP/1.1\r\n"))
        self.assertIn("Host: web.example:8080\r\n", head)
        self.assertIn("Proxy-Authorization: Basic dXNAZXI6d29yZA==\r\n", head)

    def test_addresses_are_judged_behind_a_proxy_too(self):
        proxy = self.serve(redirect("http://10.0.0.1/"))
        driver = HttpDriver(self.client(proxy))
        self.assertRaises(AddressRefused, driver.read, "http://127.0.0.1/")
        self.assertRaises(AddressRefused, driver.read, "http://web.example/")
        self.assertEqual(1, len(proxy.asked))

    def test_a_name_that_only_the_proxy_knows_is_read(self):
        def fail(host, port):
            raise OSError

        driver = HttpDriver(self.client(self.serve(response(b"data")), resolver=fail))
        self.assertEqual(b"data", b"".join(driver.read("http://web.example/")))

    def test_tls_goes_through_a_tunnel(self):
        server_side, trusted = tls_pair(Path(self.useFixture(fixtures.TempDir()).path))

        def tunnel(connection):
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with server_side.wrap_socket(connection, server_side=True) as inner:
                self.inner = inner.recv(65536).decode()
                inner.sendall(response(b"data"))

        proxy = self.serve(tunnel)
        named = Proxy.from_url(f"127.0.0.1:{proxy.port}")
        tls = ssl.create_default_context(cafile=trusted)
        judge = UriFilter(resolver=lambda host, port: ["198.41.0.4"])
        client = WebClient(judge, proxies={"https": named}, tls=tls)
        response_of = client.send(Request("https://source.example/a"), client.limit(Timeouts(idle=10)))
        self.addCleanup(response_of.close)
        self.assertEqual([b"data"], list(response_of.blocks()))
        self.assertTrue(proxy.asked[0].startswith("CONNECT source.example:443 HTTP/1."))
        self.assertTrue(self.inner.startswith("GET /a HTTP/1.1\r\n"))

    def test_a_proxy_that_refuses_is_an_error(self):
        proxy = self.serve(response(status="407 Proxy Authentication Required"))
        self.assertRaises(FetchBroken, HttpDriver(self.client(proxy)).read, "https://web.example/")

    def test_a_proxy_that_is_none_stops_the_start(self):
        for url in ("https://h:1", "socks5://h", "http://", "http://h:x"):
            self.assertRaises(BadStoreConfiguration, Proxy.from_url, url)
