"""A small certificate authority for registries and their nodes, for operators who have none.

A directory holds ``ca.pem`` and ``ca-key.pem``, and for each node ``NAME.pem`` and ``NAME-key.pem``. Keys are on the
curve P-256. Only the owner can read the keys. The key of the authority is needed only to make further certificates.
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from glance_mini.domain.errors import ConfigurationError, Duplicate, Invalid
from glance_mini.operations.base import Role

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise ConfigurationError(
        reason="Certificates need the Python package cryptography; run: pip install glance-mini[registry]"
    ) from error

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName

AUTHORITY = "ca"
LONGEST_NAME = 64
"""The most characters of a common name: ub-common-name of RFC 5280."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CLOCK_ERROR = timedelta(minutes=5)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and of its key."""

    certificate: Path
    key: Path


class Authority:
    """The authority in ``directory``, made if there is none; raises OSError, Invalid for files that are none.

    ``days`` is how long the certificate of a new one is valid.
    """

    def __init__(self, directory: Path, days: int = 3650) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.files = _pair(directory, AUTHORITY)
        if not self.files.certificate.exists():
            self._make(days)
        try:
            self._certificate = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
            key = serialization.load_pem_private_key(self.files.key.read_bytes(), None)
        except ValueError as error:
            raise Invalid(reason=f"{directory} holds no authority: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise Invalid(reason=f"{self.files.key} is not the key of {self.files.certificate}")
        self._key = key

    def issue(
        self, name: str, roles: Sequence[Role], addresses: Sequence[str] = (), days: int = 365, *, renew: bool = False
    ) -> Pair:
        """Return the files of a new certificate for the node ``name``.

        With ``addresses``, names and IP addresses at which it is reached, it is one of a registry. Raises Duplicate if
        there is one and not ``renew``, Invalid for a name that cannot be one, OSError.
        """
        if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or name in (AUTHORITY, f"{AUTHORITY}-key"):
            raise Invalid(reason=f"'{name}' cannot be the name of a node: letters, digits, dots, hyphens, up to 64")
        pair = _pair(self._directory, name)
        if pair.certificate.exists() and not renew:
            raise Duplicate(kind="certificate", id=str(pair.certificate))
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_subject(name, roles), self._certificate.subject, key, days, is_authority=False)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] if addresses else []
        if roles:
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages or [ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName([_address(each) for each in addresses]), False)
        _write(pair, builder.sign(self._key, hashes.SHA256()), key)
        return pair

    def _make(self, days: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "glance-mini registry authority")])
        _write(self.files, _builder(name, name, key, days, is_authority=True).sign(key, hashes.SHA256()), key)


def _builder(
    subject: "x509.Name", issuer: "x509.Name", key: "ec.EllipticCurvePrivateKey", days: int, *, is_authority: bool
) -> "CertificateBuilder":
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_ERROR)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str, roles: Sequence[Role]) -> "x509.Name":
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role) for role in roles]
    return x509.Name([*units, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _address(text: str) -> "GeneralName":
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pair(directory: Path, name: str) -> Pair:
    return Pair(directory / f"{name}.pem", directory / f"{name}-key.pem")


def _write(pair: Pair, certificate: "Certificate", key: "ec.EllipticCurvePrivateKey") -> None:
    """Write both files, each in one step, the key first: a certificate without its key cannot be used."""
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(pair.key, text, 0o600)
    _replace(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _replace(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}-new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, path)
