"""The small authority: what it makes is what TLS accepts, and nothing is replaced unasked."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import fixtures
import testtools
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from glance_mini.domain import errors
from glance_mini.operations.base import Role
from glance_mini.registry.authority import Authority
from glance_mini.registry.roles import Node, Nodes
from glance_mini.tls import client_context, server_context


class AuthorityTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path) / "tls"
        self.authority = Authority(self.folder)

    def meet(self, server, client, name="localhost", ca=None, crl=None):
        """Return the client's certificate as the server sees it; raises what the handshake raises."""
        ca = ca or str(self.authority.files.certificate)
        serving = server_context(str(server.certificate), str(server.key), ca, crl)
        asking = client_context(ca, str(client.certificate), str(client.key))
        seen = self.seen = []

        def serve(connection):
            try:
                with serving.wrap_socket(connection, server_side=True) as sock:
                    sock.recv(1)
                    seen.append(sock.getpeercert())
            except OSError as error:
                seen.append(error)

        one, other = socket.socketpair()
        thread = threading.Thread(target=serve, args=(one,))
        thread.start()
        try:
            with asking.wrap_socket(other, server_hostname=name) as sock:
                sock.sendall(b".")
        finally:
            other.close()
            thread.join()
        if isinstance(seen[0], OSError):
            raise seen[0]
        return seen[0]

    def test_registry_and_node_recognise_each_other(self):
        registry = self.authority.issue("registry1", (), ("localhost", "192.0.2.7"))
        node = self.authority.issue("api1.example.org", (Role.API, Role.WORKER))
        for name in ("localhost", "192.0.2.7"):
            found = Nodes({}).node(self.meet(registry, node, name))
            self.assertEqual(Node("api1.example.org", frozenset({Role.API, Role.WORKER})), found)

    def revoke(self, *nodes):
        """Return the file of a list of the authority that has the certificates of the nodes."""
        load, now = x509.load_pem_x509_certificate, datetime.datetime.now(datetime.UTC)
        own = self.authority.files
        builder = x509.CertificateRevocationListBuilder().issuer_name(load(own.certificate.read_bytes()).subject)
        builder = builder.last_update(now).next_update(now + datetime.timedelta(days=1))
        for node in nodes:
            number = load(node.certificate.read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        signed = builder.sign(serialization.load_pem_private_key(own.key.read_bytes(), None), hashes.SHA256())
        path = self.folder / "revoked.pem"
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return str(path)

    def test_a_revoked_certificate_is_refused_and_others_are_not(self):
        registry = self.authority.issue("registry1", (), ("localhost",))
        good, stolen = (self.authority.issue(name, (Role.API,)) for name in ("good", "stolen"))
        crl = self.revoke(stolen)
        self.assertTrue(self.meet(registry, good, crl=crl))
        self.assertTrue(self.meet(registry, stolen))
        self.assertRaises(OSError, self.meet, registry, stolen, crl=crl)
        self.assertIn("certificate revoked", str(self.seen[0]))

    def test_a_registry_at_another_name_is_refused(self):
        registry = self.authority.issue("registry1", (), ("localhost",))
        node = self.authority.issue("api1", (Role.API,))
        self.assertRaises(ssl.SSLCertVerificationError, self.meet, registry, node, "elsewhere")

    def test_a_node_cannot_pass_for_a_registry_and_the_other_way_round(self):
        registry = self.authority.issue("registry1", (), ("localhost",))
        node = self.authority.issue("api1", (Role.API,))
        self.assertRaises(ssl.SSLCertVerificationError, self.meet, node, node)
        self.assertRaises(OSError, self.meet, registry, registry)

    def test_a_node_of_another_authority_is_refused(self):
        registry = self.authority.issue("registry1", (), ("localhost",))
        other = Authority(self.folder / "other").issue("api1", (Role.API,))
        self.assertRaises(OSError, self.meet, registry, other)

    def test_the_authority_is_made_once(self):
        before = self.authority.files.certificate.read_bytes()
        registry = Authority(self.folder).issue("registry1", (), ("localhost",))
        self.assertEqual(before, self.authority.files.certificate.read_bytes())
        self.meet(registry, self.authority.issue("api1", (Role.API,)))

    def test_a_certificate_is_replaced_only_if_asked(self):
        first = self.authority.issue("api1", (Role.API,)).certificate.read_bytes()
        self.assertRaises(errors.Duplicate, self.authority.issue, "api1", (Role.API,))
        self.assertEqual(first, (self.folder / "api1.pem").read_bytes())
        renewed = self.authority.issue("api1", (Role.WORKER,), renew=True)
        self.assertNotEqual(first, renewed.certificate.read_bytes())

    def test_only_the_owner_can_read_the_keys(self):
        self.authority.issue("api1", (Role.API,))
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.folder.iterdir()}
        self.assertEqual({"ca.pem": 0o644, "ca-key.pem": 0o600, "api1.pem": 0o644, "api1-key.pem": 0o600}, modes)

    def test_names_that_are_none_are_refused(self):
        for name in ("", "../x", "a/b", "ca", "ca-key", "x" * 65, "ü", "-x", "a\n"):
            self.assertRaises(errors.Invalid, self.authority.issue, name, (Role.API,))
        self.assertEqual({"ca.pem", "ca-key.pem"}, {path.name for path in self.folder.iterdir()})

    def test_an_authority_with_another_key_is_refused(self):
        other = Authority(self.folder / "other")
        self.authority.files.key.write_bytes(other.files.key.read_bytes())
        self.assertRaises(errors.Invalid, Authority, self.folder)
        self.authority.files.key.write_text("none")
        self.assertRaises(errors.Invalid, Authority, self.folder)
