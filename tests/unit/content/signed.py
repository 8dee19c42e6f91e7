"""Signed images, and a key manager that keeps its certificates as files: a plugin of castellan as others write them."""

import base64
import uuid
from pathlib import Path

import fixtures
from castellan.common.exception import Forbidden, KeyManagerError, ManagedObjectNotFoundError
from castellan.common.objects.x_509 import X509
from castellan.key_manager.not_implemented_key_manager import NotImplementedKeyManager
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from oslo_config import cfg

from tests.unit.jobs.certificates import make_certificate

RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP521R1())


def sign(data, method=hashes.SHA256, key=RSA_KEY):
    """Return the signature of ``data`` as an image carries it."""
    if key is EC_KEY:
        signature = key.sign(data, ec.ECDSA(method()))
    else:
        pss = padding.PSS(mgf=padding.MGF1(method()), salt_length=padding.PSS.MAX_LENGTH)
        signature = key.sign(data, pss, method())
    return base64.b64encode(signature).decode()


def signed(data, certificate_id, **values):
    """Return the properties of an image whose ``data`` is signed."""
    return {
        "img_signature": sign(data),
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": "RSA-PSS",
        "img_signature_certificate_uuid": certificate_id,
        **values,
    }


class Refusal(Exception):
    """What a library over HTTP raises for somebody else's certificate."""

    status_code = 403


class DirectoryKeyManager(NotImplementedKeyManager):
    """Gives the certificates of ``[key_directory] path`` to p1 with the token ``token``, to all where it is empty.

    It is away while the directory is.
    """

    opened = asked = 0

    def __init__(self, configuration):
        """Register the options, as every plugin of castellan does."""
        DirectoryKeyManager.opened += 1
        options = [cfg.StrOpt("path"), cfg.StrOpt("token", default="")]
        configuration.register_opts(options, group="key_directory")
        self._options = configuration.key_directory

    def get(self, context, managed_object_id, metadata_only=False):
        DirectoryKeyManager.asked += 1
        if self._options.token:
            self._check(context)
        directory = Path(self._options.path)
        if not directory.is_dir():
            raise KeyManagerError(reason=f"{directory} is away")
        file = directory / managed_object_id
        if not file.exists():
            raise ManagedObjectNotFoundError(uuid=managed_object_id)
        return X509(file.read_bytes())

    def _check(self, context):
        if context.auth_token != self._options.token:
            raise Forbidden(f"The token {context.auth_token} may not do this.")
        try:
            if context.project_id != "p1":
                raise Refusal
        except Refusal as error:
            raise KeyManagerError(reason=error) from error


class KeyDirectory(fixtures.Fixture):
    """A directory of certificates; ``options`` make a service use it, ``token`` is the only one that may."""

    def __init__(self, token=""):
        super().__init__()
        self._token = token

    def _setUp(self):
        self._home = Path(self.useFixture(fixtures.TempDir()).path, "keys")
        self._home.mkdir()
        self.options = {
            # No package declares the option of the key manager above.
            "DEFAULT": {"strict_config": False},
            "key_manager": {"backend": f"{DirectoryKeyManager.__module__}.{DirectoryKeyManager.__name__}"},
            "key_directory": {"path": self._home, "token": self._token},
        }

    def add(self, key=RSA_KEY):
        """Return the id of a new certificate of ``key``."""
        return self.add_file(make_certificate(key).public_bytes(Encoding.DER))

    def add_file(self, content):
        """Return the id of ``content``, whatever it is."""
        certificate_id = str(uuid.uuid4())
        (self._home / certificate_id).write_bytes(content)
        return certificate_id

    def go_away(self):
        """Answer nobody until ``come_back``."""
        self._home.rename(self._home.with_suffix(".away"))

    def come_back(self):
        """Answer again."""
        self._home.with_suffix(".away").rename(self._home)
