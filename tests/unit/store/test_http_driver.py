"""The http driver beyond the contract: redirects, credentials, servers that do less, servers that fail."""

import base64
import datetime
import ipaddress
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fixtures import EnvironmentVariable, TempDir
from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.drivers.http import HttpDriver
from glance_mini_store.web.client import MAX_REDIRECTS, WebClient
from glance_mini_store.web.timeouts import Timeouts
from tests.unit.store.web import Page, WebServer

DATA = bytes(range(256)) * 1000


def make_driver(**options: object) -> HttpDriver:
    """Return a driver with these options, the others as they are by default."""
    conf = cfg.ConfigOpts()
    conf.register_opts(HttpDriver.options, group="web")
    conf([])
    for name, value in options.items():
        conf.set_override(name, value, "web")
    return HttpDriver.from_config(conf.web, "web")


class HttpTestCase(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.web = self.useFixture(WebServer())
        self.driver = HttpDriver(WebClient(), Timeouts(idle=20))
        self.addCleanup(self.driver.close)

    def content(self, location: str, offset: int = 0, length: int | None = None) -> bytes:
        return b"".join(self.driver.read(location, offset, length))

    def asked(self, header: str) -> list[str | None]:
        return [asked.headers.get(header) for asked in self.web.asked]


class TestRanges(HttpTestCase):
    def test_only_the_wanted_bytes_are_asked_for(self) -> None:
        self.web.pages["/data"] = Page(DATA)
        self.content(self.web.url("/data"), 10, 5)
        self.content(self.web.url("/data"), 10)
        self.content(self.web.url("/data"))
        self.assertEqual(["bytes=10-14", "bytes=10-", None], self.asked("Range"))

    def test_query_reaches_the_server(self) -> None:
        self.web.pages["/data"] = Page(DATA)
        self.content(self.web.url("/data?a=b%2Fc&d"))
        self.assertEqual("/data?a=b%2Fc&d", self.web.asked[0].path)


class TestSize(HttpTestCase):
    def test_server_that_refuses_head_is_asked_for_the_first_byte(self) -> None:
        for ranges in (True, False):
            self.web.pages["/data"] = Page(DATA, head=False, ranges=ranges)
            self.assertEqual(len(DATA), self.driver.size(self.web.url("/data")))

    def test_empty_data_has_a_size_where_head_is_refused(self) -> None:
        self.web.pages["/data"] = Page(b"", head=False)
        self.assertEqual(0, self.driver.size(self.web.url("/data")))

    def test_server_that_tells_no_size_is_an_error(self) -> None:
        self.web.pages["/data"] = Page(DATA, ranges=False, announces_length=False)
        self.assertRaises(errors.RemoteServiceUnavailable, self.driver.size, self.web.url("/data"))


class TestRedirects(HttpTestCase):
    def chain(self, length: int) -> str:
        """Return an address from which ``length`` redirects lead to the data."""
        for step in range(length):
            self.web.pages[f"/{step}"] = Page(redirect=f"/{step + 1}")
        self.web.pages[f"/{length}"] = Page(DATA)
        return self.web.url("/0")

    def test_redirects_are_followed_up_to_the_bound(self) -> None:
        location = self.chain(MAX_REDIRECTS)
        self.assertEqual(DATA[7:17], self.content(location, 7, 10))
        self.assertEqual(len(DATA), self.driver.size(location))

    def test_one_redirect_more_is_refused(self) -> None:
        location = self.chain(MAX_REDIRECTS + 1)
        self.assertRaises(errors.MaxRedirectsExceeded, self.driver.read, location)
        self.assertRaises(errors.MaxRedirectsExceeded, self.driver.size, location)

    def test_redirect_to_another_scheme_or_to_nowhere_is_refused(self) -> None:
        for target in ("file:///etc/passwd", "ftp://host/", "http://user@host/", "http://host:port/", "//[/"):
            self.web.pages["/data"] = Page(redirect=target)
            self.assertRaises(errors.BadStoreUri, self.driver.read, self.web.url("/data"))


class TestCredentials(HttpTestCase):
    BASIC = "Basic " + base64.b64encode(b"us@er:pass").decode()

    def test_credentials_are_sent_as_basic_authentication_and_not_in_the_address(self) -> None:
        self.web.pages["/data"] = Page(DATA)
        self.content(self.web.url("/data", user="us%40er:pass@"))
        self.assertEqual([self.BASIC], self.asked("Authorization"))
        self.assertEqual([f"127.0.0.1:{self.web.port}"], self.asked("Host"))

    def test_credentials_stay_on_redirects_within_the_server(self) -> None:
        self.web.pages.update({"/data": Page(redirect="/other"), "/other": Page(DATA)})
        self.content(self.web.url("/data", user="us%40er:pass@"))
        self.assertEqual([self.BASIC, self.BASIC], self.asked("Authorization"))

    def test_credentials_are_not_carried_to_another_host_or_port(self) -> None:
        other = self.useFixture(WebServer())
        other.pages["/data"] = self.web.pages["/other"] = Page(DATA)
        for target in (other.url("/data"), self.web.url("/other", host="localhost")):
            self.web.pages["/data"] = Page(redirect=target)
            self.assertEqual(DATA, self.content(self.web.url("/data", user="us%40er:pass@")))
        self.assertEqual([None], [asked.headers.get("Authorization") for asked in other.asked])
        self.assertEqual([self.BASIC, self.BASIC, None], self.asked("Authorization"))

    def test_credentials_of_the_machine_are_not_used(self) -> None:
        home = self.useFixture(TempDir()).path
        Path(home, ".netrc").write_text("machine 127.0.0.1 login root password root\n")
        self.useFixture(EnvironmentVariable("HOME", home))
        self.web.pages["/data"] = Page(DATA)
        self.content(self.web.url("/data"))
        self.assertEqual([None], self.asked("Authorization"))

    def test_no_error_shows_them(self) -> None:
        self.web.pages.update({"/403": Page(status=403), "/500": Page(status=500), "/loop": Page(redirect="/loop")})
        for path in ("/403", "/500", "/404", "/loop"):
            location = self.web.url(f"{path}?token=SECRET", user="user:SECRET@")
            for call in (self.driver.read, self.driver.size):
                self.assertNotIn("SECRET", str(self.assertRaises(errors.StoreError, call, location)))


class TestFailures(HttpTestCase):
    def test_answers_of_the_server_are_told_apart(self) -> None:
        for status, error in (
            (404, errors.NotFound),
            (410, errors.NotFound),
            (401, errors.Forbidden),
            (403, errors.Forbidden),
            (418, errors.RemoteServiceUnavailable),
            (500, errors.RemoteServiceUnavailable),
            (503, errors.RemoteServiceUnavailable),
        ):
            self.web.pages["/data"] = Page(status=status)
            self.assertRaises(error, self.driver.read, self.web.url("/data"))
            self.assertRaises(error, self.driver.size, self.web.url("/data"))

    def test_body_that_ends_early_is_an_error_and_no_short_answer(self) -> None:
        self.web.pages["/data"] = Page(DATA, missing_bytes=1)
        for offset in (0, 10):
            reader = self.driver.read(self.web.url("/data"), offset)
            self.assertRaises(errors.RemoteServiceUnavailable, list, reader)

    def test_server_that_is_not_there_is_unavailable(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            location = f"http://user:SECRET@127.0.0.1:{listener.getsockname()[1]}/data"
            for call in (self.driver.read, self.driver.size):
                error = self.assertRaises(errors.RemoteServiceUnavailable, call, location)
                self.assertEqual("No connection to 127.0.0.1: it was refused.", str(error))

    def test_server_that_stays_silent_is_unavailable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            driver = HttpDriver(timeouts=Timeouts(idle=0.2))
            location = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            error = self.assertRaises(errors.RemoteServiceUnavailable, driver.read, location)
        self.assertEqual("The answer broke off: it took too long.", str(error))


class TestCertificates(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.pem = Path(self.useFixture(TempDir()).path) / "server.pem"
        self.pem.write_bytes(self_signed("127.0.0.1"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        self.web = self.useFixture(WebServer(context))
        self.web.pages["/data"] = Page(DATA)

    def test_unknown_certificate_is_refused_by_default(self) -> None:
        error = self.assertRaises(errors.RemoteServiceUnavailable, HttpDriver().read, self.web.url("/data"))
        self.assertIn("certificate", str(error))

    def test_certificate_is_accepted_by_its_authority_or_when_checking_is_off(self) -> None:
        for options in ({"https_ca_certificates_file": str(self.pem)}, {"https_insecure": True}):
            driver = make_driver(**options)
            self.addCleanup(driver.close)
            self.assertEqual(DATA, b"".join(driver.read(self.web.url("/data"))))


def self_signed(address: str) -> bytes:
    """Return key and certificate, valid for a day, of a server at ``address``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=12))
        .not_valid_after(now + datetime.timedelta(hours=12))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    encoding, style = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, style, plain) + certificate.public_bytes(encoding)
