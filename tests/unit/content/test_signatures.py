"""What becomes of data whose image says who signed it, and where the certificates come from."""

import logging
import subprocess
import sys
import textwrap
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import fixtures
import testtools
from castellan.common.exception import Forbidden
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from oslo_context.context import RequestContext, get_current

from glance_mini import conf as configuration
from glance_mini.conf.validation import validate
from glance_mini.content.signatures import KeyManager, SignatureInvalid, no_certificates, signature_check
from glance_mini.domain.errors import Unavailable
from tests.unit.content.signed import EC_KEY, RSA_KEY, DirectoryKeyManager, KeyDirectory, sign, signed
from tests.unit.jobs.certificates import make_certificate
from tests.unit.jobs.test_observers import DATA, ObserverCase

CERTIFICATE_ID = str(uuid.uuid4())

BARBICAN = """
[paste_deploy]
flavor = token

[key_manager]
backend = barbican

[barbican]
auth_endpoint = http://127.0.0.1:9/v3
barbican_endpoint = http://127.0.0.1:9
"""


class OddCertificate:
    """A certificate whose key is of a kind that the library does not know."""

    def public_key(self):
        raise ValueError("no such key")


class TestSignature(ObserverCase):
    def check(self, key=RSA_KEY, **values):
        asked = []

        def fetch(certificate_id):
            asked.append(certificate_id)
            return make_certificate(key)

        properties = signed(DATA, CERTIFICATE_ID, **values)
        observer = signature_check({name: value for name, value in properties.items() if value is not None}, fetch)
        self.assertEqual([CERTIFICATE_ID] if observer else [], asked)
        return observer

    def refusal(self, fetch=None, **values):
        fetch = fetch or self.fail
        return str(self.assertRaises(SignatureInvalid, signature_check, signed(DATA, CERTIFICATE_ID, **values), fetch))

    def test_signed_data_is_stored(self):
        for method in ("SHA224", "SHA256", "SHA384", "SHA512"):
            signature = sign(DATA, getattr(hashes, method))
            name = f"SHA-{method[3:]}"
            self.assertTrue(self.write(self.check(img_signature=signature, img_signature_hash_method=name)))
        signature = sign(DATA, key=EC_KEY)
        self.assertTrue(self.write(self.check(EC_KEY, img_signature=signature, img_signature_key_type="ECC_SECP521R1")))

    def test_a_signature_may_have_line_breaks(self):
        wrapped = "\n".join(textwrap.wrap(sign(DATA), 76)) + "\n"
        self.assertTrue(self.write(self.check(img_signature=wrapped)))

    def test_other_data_than_was_signed_is_not_stored(self):
        for data in (DATA + b".", DATA[:-1], b""):
            error = self.assertRaises(SignatureInvalid, self.write, self.check(), data)
            self.assertIn("not what was signed", str(error))
            self.assertFalse(self.readable)

    def test_a_signature_of_another_key_or_method_or_length_is_refused(self):
        other = rsa.generate_private_key(65537, 2048)
        self.assertRaises(SignatureInvalid, self.write, self.check(other))
        self.assertRaises(SignatureInvalid, self.write, self.check(img_signature_hash_method="SHA-512"))
        for signature in ("aaaa", "a" * 4000):
            self.assertRaises(SignatureInvalid, self.write, self.check(img_signature=signature))

    def test_an_image_that_lacks_one_of_the_four_properties_is_not_signed(self):
        for name in signed(DATA, CERTIFICATE_ID):
            self.assertIsNone(self.check(**{name: None}))

    def test_properties_that_make_no_sense_are_refused_before_the_key_manager_is_asked(self):
        self.assertIn("'MD5'; it must be one of SHA-224", self.refusal(img_signature_hash_method="MD5"))
        self.assertIn("'RSA'; it must be one of", self.refusal(img_signature_key_type="RSA"))
        for signature in ("abc", "é", f"b'{sign(DATA)}'"):
            self.assertIn("base64", self.refusal(img_signature=signature))
        for signature in ("", " \n"):
            self.assertIn("empty", self.refusal(img_signature=signature))
        self.assertIn("UUID", self.refusal(img_signature_certificate_uuid="../secrets"))

    def test_a_certificate_of_another_kind_of_key_is_refused(self):
        for key in (EC_KEY, dsa.generate_private_key(2048)):
            certificate = make_certificate(key)
            self.assertIn("RSA-PSS", self.refusal(lambda _, certificate=certificate: certificate))
        self.assertIn("not supported", self.refusal(lambda _: OddCertificate()))

    def test_a_signed_image_is_refused_where_nobody_can_verify_it(self):
        with mock.patch.dict(sys.modules, {"cursive": None, "cursive.signature_utils": None}):
            self.assertIn("'signatures'", self.refusal())
            self.assertIsNone(signature_check({}, self.fail))
        self.assertIn("no key manager", self.refusal(no_certificates(None, None)))


class TestKeyManager(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        self.directory = self.useFixture(KeyDirectory(token="tOkEn"))
        self.certificate_id = self.directory.add()
        groups = [
            f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in values.items())
            for group, values in self.directory.options.items()
        ]
        self.conf = self.load("\n".join(groups))
        self.manager = KeyManager(self.conf)

    def load(self, text):
        file = Path(self.useFixture(fixtures.TempDir()).path, "glance-mini.conf")
        file.write_text(text)
        return configuration.load(files=[file])

    def fetch(self, certificate_id=None, token="tOkEn", project="p1"):
        return self.manager.certificates(token, project)(certificate_id or self.certificate_id)

    def test_a_certificate_is_given_in_the_name_of_the_caller(self):
        self.assertEqual(RSA_KEY.public_key(), self.fetch().public_key())
        for token in ("another", None):
            self.assertRaises(Unavailable, self.fetch, token=token)
        self.assertIn("may not read", str(self.assertRaises(SignatureInvalid, self.fetch, project="p2")))

    def test_what_is_no_certificate_is_refused(self):
        self.assertIn("there is no", str(self.assertRaises(SignatureInvalid, self.fetch, str(uuid.uuid4()))))
        for content in (b"", b"a secret"):
            other = self.directory.add_file(content)
            self.assertIn("not an X.509", str(self.assertRaises(SignatureInvalid, self.fetch, other)))

    def test_a_key_manager_that_was_away_is_asked_again(self):
        self.directory.go_away()
        self.assertRaises(Unavailable, self.fetch)
        self.assertIn("is away", self.log.output)
        self.directory.come_back()
        self.assertEqual(RSA_KEY.public_key(), self.fetch().public_key())

    def test_neither_errors_nor_log_lines_have_the_token(self):
        error = self.assertRaises(Unavailable, self.fetch, token="sEcReT")
        self.assertIsInstance(error.__cause__, Forbidden)
        self.assertNotIn("sEcReT", str(error))
        self.assertIn("The token *** may not", self.log.output)
        self.assertNotIn("sEcReT", self.log.output)

    def test_the_log_lines_of_a_request_go_on_to_name_their_request(self):
        context = RequestContext(request_id="req-1")
        self.fetch()
        self.assertIs(context, get_current())

    def test_many_at_once_open_it_once(self):
        before = DirectoryKeyManager.opened
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: self.fetch(), range(40)))
        self.assertEqual(before + 1, DirectoryKeyManager.opened)

    def test_one_that_cannot_be_opened_is_reported(self):
        self.manager = KeyManager(self.load("[key_manager]\nbackend = nowhere.Nothing\n"))
        self.assertRaises(Unavailable, self.fetch)
        self.assertIn("[key_manager] cannot be opened", self.log.output)

    def test_barbican_is_known_by_its_name(self):
        conf = self.load(BARBICAN)
        validate(conf)
        self.manager = KeyManager(conf)
        self.assertRaises(Unavailable, self.fetch, token="sEcReT")
        self.assertIn("did not return certificate", self.log.output)
        self.assertNotIn("sEcReT", self.log.output)

    def test_its_libraries_are_imported_only_when_a_certificate_is_wanted(self):
        program = (
            "import sys\n"
            "from glance_mini import conf\n"
            "from glance_mini.content.signatures import KeyManager, signature_check\n"
            "fetch = KeyManager(conf.load([])).certificates(None, None)\n"
            "print(signature_check({'img_signature': 'x'}, fetch))\n"
            "import glance_mini.jobs.import_image, glance_mini.layers.location.layer\n"
            "print({'castellan', 'cursive', 'barbicanclient'}.intersection(sys.modules))\n"
        )
        command = [sys.executable, "-c", program]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual("None\nset()\n", answer.stdout)
