"""Verifies the signature that an image's properties name, while its data is stored (reference 5.6).

The cryptography is that of cursive, which is an optional part; without it a signed image is refused, because nobody
could tell whether it is what its owner signed.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_utils.uuidutils import is_uuid_like

from glance_mini.domain.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)
"""The properties of a signed image; one that lacks any of them is not signed."""

FetchCertificate = Callable[[str], "Certificate"]
"""Returns the certificate with an id; raises SignatureInvalid where there is none, Unavailable."""


class SignatureInvalid(Invalid):
    """The data is not what was signed, or its signature cannot be verified."""

    code = "content.signature"
    template = "Signature verification failed: {reason}"


class SignatureCheck:
    """An observer of data on its way to a store: raises SignatureInvalid at the end of data that was not signed."""

    def __init__(self, verifier: Any) -> None:
        self._verifier = verifier

    def update(self, block: bytes) -> None:
        """Look at the next block of the data."""
        self._verifier.update(block)

    def finish(self) -> None:
        """Judge the data, which has been seen whole."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._verifier.verify()
        except InvalidSignature as error:
            raise SignatureInvalid(reason="the data is not what was signed.") from error


def signature_check(properties: Mapping[str, str], fetch_certificate: FetchCertificate) -> SignatureCheck | None:
    """Return an observer for the data of an image with ``properties``, None where it is not signed.

    Raises SignatureInvalid where the properties make no sense, and what ``fetch_certificate`` raises. Blocks for it.
    """
    if not all(name in properties for name in PROPERTIES):
        return None
    try:
        from cursive import exception, signature_utils
    except ImportError as error:
        raise SignatureInvalid(reason="this service was installed without the part 'signatures'.") from error
    signature, hash_method, key_type, certificate_id = (properties[name] for name in PROPERTIES)
    try:
        kind = signature_utils.SignatureKeyType.lookup(key_type)
        method = signature_utils.get_hash_method(hash_method)
        decoded = signature_utils.get_signature(signature)
    except exception.SignatureVerificationError as error:
        raise SignatureInvalid(reason=str(error)) from error
    if not is_uuid_like(certificate_id):
        raise SignatureInvalid(reason="img_signature_certificate_uuid is no UUID.")
    key = fetch_certificate(certificate_id).public_key()
    if not decoded or not isinstance(key, kind.public_key_type):
        raise SignatureInvalid(reason=f"there is no signature, or the certificate's key is not for {key_type}.")
    return SignatureCheck(kind.create_verifier(decoded, method, key))


def key_manager_certificates(conf: cfg.ConfigOpts, token: str, project_id: str | None) -> FetchCertificate:
    """Return what fetches certificates from the key manager of ``[key_manager]``, in the name of ``token``."""

    def fetch(certificate_id: str) -> "Certificate":
        from castellan import key_manager
        from castellan.common.exception import CastellanException, ManagedObjectNotFoundError
        from cryptography.x509 import load_der_x509_certificate
        from oslo_context.context import RequestContext

        try:
            caller = RequestContext(auth_token=token, project_id=project_id)
            found = key_manager.API(conf).get(caller, certificate_id)
        except ManagedObjectNotFoundError as error:
            raise SignatureInvalid(reason=f"there is no certificate {certificate_id}.") from error
        except CastellanException as error:
            raise Unavailable(reason="The key manager does not give the certificate of the signature.") from error
        try:
            return load_der_x509_certificate(found.get_encoded() or b"")
        except ValueError as error:
            raise SignatureInvalid(reason=f"{certificate_id} is no X.509 certificate.") from error

    return fetch
