"""What watches data on its way to a store: expected hashes and signatures (reference 5.4, 5.6)."""

import base64
import hashlib
import sys
import uuid
from pathlib import Path
from unittest import mock

import fixtures
import testtools
from castellan.common.exception import Forbidden, ManagedObjectNotFoundError
from castellan.common.objects.x_509 import X509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from glance_mini import conf
from glance_mini.domain.errors import Invalid, Unavailable
from glance_mini.imports.expected_hashes import ExpectedHashes, HashMismatch
from glance_mini.imports.signature import SignatureInvalid, key_manager_certificates, signature_check
from glance_mini_store import errors as store_errors
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from tests.unit.imports.certificates import make_certificate

KEY_MANAGER = "tests.unit.imports.test_observers.KeyManager"

DATA = bytes(range(256)) * 100
CERTIFICATE_ID = str(uuid.uuid4())
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP521R1())


def digest(name):
    return hashlib.new(name, DATA).hexdigest()


def sign(data=DATA, method=hashes.SHA256, key=RSA_KEY):
    """Return the signature of ``data`` as an image carries it."""
    if key is EC_KEY:
        signature = key.sign(data, ec.ECDSA(method()))
    else:
        pss = padding.PSS(mgf=padding.MGF1(method()), salt_length=padding.PSS.MAX_LENGTH)
        signature = key.sign(data, pss, method())
    return base64.b64encode(signature).decode()


def signed(**values):
    """Return the properties of an image whose data is signed."""
    return {
        "img_signature": sign(),
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": "RSA-PSS",
        "img_signature_certificate_uuid": CERTIFICATE_ID,
        **values,
    }


class KeyManager:
    """A key manager, as castellan makes one from its configuration; knows one certificate."""

    def __init__(self, configuration):
        """Take the configuration, which says nothing here."""

    def get(self, context, managed_object_id):
        if (context.auth_token, context.project_id) != ("token", "p1"):
            raise Forbidden
        if managed_object_id != CERTIFICATE_ID:
            raise ManagedObjectNotFoundError(uuid=managed_object_id)
        return X509(make_certificate(RSA_KEY).public_bytes(Encoding.DER))


class ObserverCase(testtools.TestCase):
    def write(self, observer, data=DATA):
        """Write ``data`` to a store with ``observer`` and return whether it can be read back."""
        driver = MemoryDriver()
        store = Store(driver)
        chunks = [data[start : start + 1000] for start in range(0, len(data), 1000)]
        try:
            store.write("image", chunks, observers=(observer,))
        finally:
            self.readable = self.read(store)
        return self.readable

    def read(self, store):
        try:
            return b"".join(store.read("memory://default/image")) == DATA
        except store_errors.NotFound:
            return False


class TestExpectedHashes(ObserverCase):
    def test_data_with_all_expected_hashes_is_stored(self):
        for expected in (
            {},
            {"sha256": digest("sha256")},
            {"SHA512": f" {digest('sha512').upper()} ", "md5": digest("md5"), "sha3_256": digest("sha3_256")},
        ):
            self.assertTrue(self.write(ExpectedHashes(expected)))

    def test_data_with_one_other_hash_is_not_stored(self):
        expected = {"sha256": digest("sha256"), "md5": "0" * 32}
        error = self.assertRaises(HashMismatch, self.write, ExpectedHashes(expected))
        self.assertIn(f"The md5 of the data is {digest('md5')}", str(error))
        self.assertFalse(self.readable)

    def test_hashes_that_no_data_can_have_are_refused_at_once(self):
        for name, value in (
            *(("nonsense", "00"), ("shake_128", "00"), ("sha256", ""), ("sha256", digest("md5"))),
            *(("md5", "x" * 32), ("md5", "-" + "0" * 31)),
        ):
            self.assertRaises(Invalid, ExpectedHashes, {name: value})


class TestSignature(ObserverCase):
    def check(self, properties, key=RSA_KEY):
        asked = []

        def fetch(certificate_id):
            asked.append(certificate_id)
            return make_certificate(key)

        observer = signature_check(properties, fetch)
        self.assertEqual([CERTIFICATE_ID] if observer else [], asked)
        return observer

    def refusal(self, **values):
        return str(self.assertRaises(SignatureInvalid, signature_check, signed(**values), self.no_certificate))

    def no_certificate(self, certificate_id):
        raise SignatureInvalid(reason=f"there is no certificate {certificate_id}.")

    def test_signed_data_is_stored(self):
        for properties, key in (
            (signed(), RSA_KEY),
            (signed(img_signature=sign(method=hashes.SHA512), img_signature_hash_method="SHA-512"), RSA_KEY),
            (signed(img_signature=sign(key=EC_KEY), img_signature_key_type="ECC_SECP521R1"), EC_KEY),
        ):
            self.assertTrue(self.write(self.check(properties, key)))

    def test_other_data_than_was_signed_is_not_stored(self):
        for data in (DATA + b".", DATA[:-1], b""):
            error = self.assertRaises(SignatureInvalid, self.write, self.check(signed()), data)
            self.assertIn("not what was signed", str(error))
            self.assertFalse(self.readable)

    def test_a_signature_of_another_key_or_method_is_refused(self):
        other = rsa.generate_private_key(65537, 2048)
        self.assertRaises(SignatureInvalid, self.write, self.check(signed(), other))
        self.assertRaises(SignatureInvalid, self.write, self.check(signed(img_signature_hash_method="SHA-512")))

    def test_an_image_that_lacks_one_of_the_four_properties_is_not_signed(self):
        for name in signed():
            self.assertIsNone(self.check({key: value for key, value in signed().items() if key != name}))

    def test_properties_that_make_no_sense_are_refused_before_any_data(self):
        self.assertIn("MD5", self.refusal(img_signature_hash_method="MD5"))
        self.assertIn("RSA", self.refusal(img_signature_key_type="RSA"))
        self.assertIn("base64", self.refusal(img_signature="abc"))
        self.assertIn("UUID", self.refusal(img_signature_certificate_uuid="../secrets"))
        self.assertIn("no certificate", self.refusal())
        self.assertRaises(SignatureInvalid, self.check, signed(img_signature=""))
        self.assertRaises(SignatureInvalid, self.check, signed(), EC_KEY)

    def test_a_signed_image_is_refused_where_nobody_can_verify_it(self):
        with mock.patch.dict(sys.modules, {"cursive": None}):
            self.assertIn("'signatures'", self.refusal())
            self.assertIsNone(signature_check({}, self.no_certificate))

    def test_certificates_come_from_the_key_manager_in_the_name_of_the_caller(self):
        file = Path(self.useFixture(fixtures.TempDir()).path, "glance-mini.conf")
        file.write_text(f"[key_manager]\nbackend = {KEY_MANAGER}\n")
        configuration = conf.load(files=[file])
        fetch = key_manager_certificates(configuration, "token", "p1")

        self.assertTrue(self.write(signature_check(signed(), fetch)))
        self.assertRaises(SignatureInvalid, fetch, str(uuid.uuid4()))
        self.assertRaises(Unavailable, key_manager_certificates(configuration, "other", "p1"), CERTIFICATE_ID)
