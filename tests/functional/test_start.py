"""The start without a configuration, the next start, and the end."""

import ipaddress
import signal
import ssl
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import fixtures
import requests
import testtools
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from glance_mini.standalone.state import StateDirectory
from tests.functional.faults import SharedService
from tests.functional.service import Client, Service, entries_below
from tests.http_server.running import eventually
from tests.ports import free_port


class StartTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = self.root / "state"

    def _start(self, *words, port=None):
        return self.useFixture(Service(self.state, *words, port=port, fresh=True))

    def test_first_start_says_in_four_lines_what_to_do_next_and_it_works(self):
        service = self._start()
        self.assertEqual(
            [
                f"To let clients find it: export OS_CLIENT_CONFIG_FILE={self.state}/clouds.yaml",
                "To try it: openstack --os-cloud glance-mini image list",
                f"To log in as with Keystone: . {self.state}/openrc (without a log-in: . {self.state}/openrc-token)",
                f"The service answers at http://127.0.0.1:{service.port}",
            ],
            service.output,
        )
        client = self.useFixture(Client(service.lines[0].partition("=")[2]))
        self.assertEqual("", client.openstack("image", "list", "-f", "value"))
        program = Path(sys.executable).parent / "openstack"
        for file in ("openrc", "openrc-token"):
            self.assertEqual("", client.shell(f". {self.state}/{file} && {program} image list -f value"), file)
        self.assertEqual(300, requests.get(service.lines[-1], timeout=10).status_code)

    def test_nothing_in_the_state_directory_is_open_to_others_and_no_token_is_in_the_log(self):
        service = self._start("--workers", "2")
        image = service.create_image()
        service.upload(image, b"x")
        folders, files = entries_below(self.state)
        self.assertEqual([], [path for path in (self.state, *folders, *files) if _is_open(path)])
        requests.get(f"{service.lines[-1]}/v2/images", headers={"X-Auth-Token": "wrong-token-sent"}, timeout=10)
        self.assertEqual(0, service.stop())
        log = service.log.read_text()
        self.assertNotIn(service.token, log)
        self.assertNotIn("wrong-token-sent", log)

    def test_next_start_finds_everything_and_tells_clients_a_new_address(self):
        first = self._start("--no-worker")
        token, image = first.token, first.create_image(name="kept")
        self.assertEqual(0, first.stop())
        second = self._start("--no-worker")
        self.assertNotEqual(first.port, second.port)
        self.assertEqual(token, second.token)
        self.assertEqual("kept", second.request("GET", f"/v2/images/{image}").json()["name"])

    def test_second_service_on_the_same_state_directory_is_refused(self):
        self._start("--no-worker")
        second = self._start("--no-worker")
        self.assertEqual((1, []), (second.code, second.lines))
        self.assertIn("already running", second.log.read_text())

    def test_address_that_is_taken_is_refused(self):
        first = self._start("--no-worker")
        second = self.useFixture(Service(self.root / "other", port=first.port))
        self.assertEqual((1, []), (second.code, second.lines))
        self.assertIn(str(first.port), second.log.read_text())

    def test_interrupt_and_termination_both_end_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            service = self._start()
            self.assertEqual(0, service.stop(number))
            self.assertRaises(requests.ConnectionError, requests.get, service.lines[-1], timeout=5)

    def test_none_works_on_loopback_and_is_refused_beyond(self):
        StateDirectory(self.state).create()
        file = StateDirectory(self.state).config_file
        file.write_text(file.read_text().replace("flavor = token", "flavor = none"))
        refused = self._start("--bind", f"0.0.0.0:{free_port()}")
        self.assertEqual((1, []), (refused.code, refused.lines))
        service = self._start("--no-worker")
        clouds = self.root / "clouds.yaml"
        address = service.lines[-1]
        cloud = {"auth_type": "none", "auth": {"endpoint": address}, "image_endpoint_override": address}
        clouds.write_text(yaml.safe_dump({"clouds": {"glance-mini": cloud}}))
        client = self.useFixture(Client(clouds))
        _, listed = client.openstack_session(
            "image create free -f json", "image set --public free", "image list --long -f json", "image delete free"
        )
        self.assertEqual([("free", "public")], [(image["Name"], image["Visibility"]) for image in listed])
        foreign = ({"Content-Type": "text/plain"}, {"Origin": "http://evil.example"}, {"Host": "evil.example"})
        for headers in foreign:
            answer = requests.post(f"{address}/v2/images", json={"name": "x"}, headers=headers, timeout=10)
            self.assertIn(answer.status_code, (403, 415), headers)
        self.assertEqual([], requests.get(f"{address}/v2/images", timeout=10).json()["images"])

    def test_tls_is_spoken_and_the_clients_know_the_certificate(self):
        certificate = _make_certificate(self.root / "server.pem")
        service = self._start("--no-worker", "--tls-cert", str(certificate))
        self.assertEqual(f"https://127.0.0.1:{service.port}", service.lines[-1])
        self.assertEqual(str(certificate), service.cloud["cacert"])
        client = self.useFixture(Client(self.state / "clouds.yaml"))
        client.openstack("image", "list")
        with self.assertRaisesRegex(requests.exceptions.SSLError, "CERTIFICATE_VERIFY_FAILED"):
            requests.get(service.lines[-1], timeout=10)
        ssl.get_server_certificate(("127.0.0.1", service.port), ca_certs=str(certificate))


class TokenTest(SharedService, testtools.TestCase):
    def test_nobody_gets_in_without_the_token(self):
        url = f"{self.service.lines[-1]}/v2/images"
        answers = [requests.get(url, headers=headers, timeout=10) for headers in ({}, {"X-Auth-Token": "guess"})]
        self.assertEqual([401, 401], [answer.status_code for answer in answers])

    def test_user_who_is_added_and_removed_while_the_service_runs_is_let_in_and_out(self):
        words = [sys.executable, "-m", "glance_mini.cmd.manage", "user"]
        add = [*words, "add", "ann", "--state", str(self.service.state)]
        token = subprocess.run(add, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
        self._wait_for_status(200, token)
        subprocess.run([*words, "remove", "ann", "--yes", "--state", str(self.service.state)], timeout=30, check=True)
        self._wait_for_status(401, token)

    def _wait_for_status(self, status, token):
        def has_come():
            return self.service.request("GET", "/v2/images", headers={"X-Auth-Token": token}).status_code == status

        eventually(has_come, f"the answer was {status}")


def _is_open(path):
    """Tell whether others may look into what is there; nothing that has gone meanwhile is."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return bool(stat.S_IMODE(mode) & 0o077) and not stat.S_ISSOCK(mode)


def _make_certificate(path):
    """Write a key and a certificate that it signed itself for 127.0.0.1 into one file and return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now().astimezone()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(encoding, form, serialization.NoEncryption()) + certificate.public_bytes(encoding)
    )
    return path
