"""Verifies the signature in an image's properties while its data is stored (api-data-signatures).

cursive does the cryptography and castellan fetches the certificates; both are optional dependencies. Without them a
signed image is refused, because its data cannot be verified.
"""

import base64
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from oslo_config import cfg
from oslo_utils.uuidutils import is_uuid_like

from glance_mini.domain.errors import Invalid, Unavailable
from glance_mini_store.lanes import Chunk

if TYPE_CHECKING:
    from castellan.key_manager.key_manager import KeyManager as Manager
    from cryptography.x509 import Certificate

LOG = logging.getLogger(__name__)

PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)
"""The properties of a signed image; an image that lacks any of them is not signed."""

FetchCertificate = Callable[[str], "Certificate"]
"""Returns the certificate with an id; raises SignatureInvalid if it does not exist, Unavailable. Blocks."""

Certificates = Callable[[str | None, str | None], FetchCertificate]
"""Returns a function that fetches certificates for a caller, given their Keystone token and project id."""


class SignatureInvalid(Invalid):
    """The data is not what was signed, or its signature cannot be verified."""

    code = "content.signature"
    template = "Signature verification failed: {reason}"


class Verifier(Protocol):
    """A verifier of cursive, which takes the data of one image."""

    def update(self, data: Chunk) -> None: ...

    def verify(self) -> None: ...


class SignatureCheck:
    """Observes data on its way to a store; raises SignatureInvalid at its end if it is not the signed data."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def update(self, block: Chunk) -> None:
        """Process the next block of the data."""
        self._verifier.update(block)

    def finish(self) -> None:
        """Verify the signature after the last block; raises SignatureInvalid."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._verifier.verify()
        except InvalidSignature as error:
            raise SignatureInvalid(reason="the data is not what was signed.") from error


def is_signed(properties: Mapping[str, str | None]) -> bool:
    """Return whether the data of an image with ``properties`` must have a signature."""
    return all(name in properties for name in PROPERTIES)


def signature_check(properties: Mapping[str, str | None], fetch_certificate: FetchCertificate) -> SignatureCheck | None:
    """Return an observer for the data of an image with ``properties``, None if it is not signed.

    Raises SignatureInvalid if the properties are not valid, and what ``fetch_certificate`` raises. Blocks while the
    certificate is fetched.
    """
    if not is_signed(properties):
        return None
    try:
        from cursive.signature_utils import HASH_METHODS, SignatureKeyType
    except ImportError as error:
        raise SignatureInvalid(reason="this service was installed without the extra 'signatures'.") from error
    signature, hash_method, key_type, certificate_id = (properties[name] or "" for name in PROPERTIES)
    _check_choice("img_signature_hash_method", hash_method, HASH_METHODS)
    _check_choice("img_signature_key_type", key_type, SignatureKeyType.REGISTERED_TYPES)
    if not is_uuid_like(certificate_id):
        raise SignatureInvalid(reason="img_signature_certificate_uuid is not a UUID.")
    decoded = _decode(signature)
    kind = SignatureKeyType.lookup(key_type)
    key = _public_key(fetch_certificate(certificate_id))
    if not isinstance(key, kind.public_key_type):
        raise SignatureInvalid(reason=f"the key of certificate {certificate_id} is not of type {key_type}.")
    return SignatureCheck(kind.create_verifier(decoded, HASH_METHODS[hash_method], key))


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise SignatureInvalid(reason=f"{name} is '{value[:40]}'; it must be one of {', '.join(sorted(choices))}.")


def _decode(signature: str) -> bytes:
    try:
        # Programs that write base64 usually break the lines.
        decoded = base64.b64decode("".join(signature.split()), validate=True)
    except ValueError as error:
        raise SignatureInvalid(reason="img_signature is not valid base64.") from error
    if not decoded:
        raise SignatureInvalid(reason="img_signature is empty.")
    return decoded


def _public_key(certificate: "Certificate") -> object:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return certificate.public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise SignatureInvalid(reason="the type of the certificate's key is not supported.") from error


class KeyManager:
    """The key manager of ``[key_manager]``. It takes memory and time, so it is opened for the first certificate."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._opened: Manager | None = None

    def certificates(self, token: str | None, project_id: str | None) -> FetchCertificate:
        """Return a function that fetches certificates for the caller with ``token``, None without Keystone."""

        def fetch(certificate_id: str) -> "Certificate":
            return self._fetch(certificate_id, token, project_id)

        return fetch

    def _fetch(self, certificate_id: str, token: str | None, project_id: str | None) -> "Certificate":
        from castellan.common.exception import ManagedObjectNotFoundError
        from cryptography.x509 import load_der_x509_certificate

        manager = self._open()
        try:
            found = manager.get(_caller(token, project_id), certificate_id)
            return load_der_x509_certificate(found.get_encoded() or b"")
        except ManagedObjectNotFoundError as error:
            raise SignatureInvalid(reason=f"there is no certificate {certificate_id}.") from error
        except ValueError as error:
            raise SignatureInvalid(reason=f"{certificate_id} is not an X.509 certificate.") from error
        except Exception as error:
            # Key managers do not translate the errors of their libraries.
            if _is_refusal(error):
                raise SignatureInvalid(reason=f"you may not read certificate {certificate_id}.") from error
            text = str(error).replace(token, "***") if token else str(error)
            LOG.error("The key manager did not return certificate %s: %s", certificate_id, text)
            raise Unavailable(reason="The key manager did not return the certificate of the signature.") from error

    def _open(self) -> "Manager":
        with self._lock:
            if self._opened is None:
                from castellan import key_manager

                try:
                    self._opened = key_manager.API(self._conf)
                except Exception as error:
                    LOG.error("The key manager of [key_manager] cannot be opened: %s", error)
                    raise Unavailable(reason="The key manager of this service cannot be opened.") from error
            return self._opened


def _is_refusal(error: Exception) -> bool:
    """Return whether the key manager denied the caller access; Barbican answers 403."""
    return getattr(error.__context__, "status_code", None) == HTTPStatus.FORBIDDEN


def _caller(token: str | None, project_id: str | None) -> object:
    """Return the caller as a context for key managers."""
    from oslo_context.context import RequestContext

    class Caller(RequestContext):
        """A caller that does not appear in the log lines of this thread."""

        def update_store(self) -> None:
            """Do not replace the context of the thread."""

    return Caller(auth_token=token, project_id=project_id)


def no_certificates(token: str | None, project_id: str | None) -> FetchCertificate:
    """Return a function that refuses every certificate, for a service without a key manager."""

    def fetch(certificate_id: str) -> "Certificate":
        raise SignatureInvalid(reason="this service has no key manager.")

    return fetch
