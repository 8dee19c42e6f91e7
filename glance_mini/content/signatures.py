"""Verifies the signature that an image's properties name, while its data is stored (api-data-signatures).

The cryptography is that of cursive and the certificates come from castellan, which are an optional part. Without it a
signed image is refused, because nobody could tell whether its data is what was signed.
"""

import base64
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_utils.uuidutils import is_uuid_like

from glance_mini.domain.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LOG = logging.getLogger(__name__)

PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)
"""The properties of a signed image; one that lacks any of them is not signed."""

FetchCertificate = Callable[[str], "Certificate"]
"""Returns the certificate with an id; raises SignatureInvalid where there is none, Unavailable. Blocks."""

Certificates = Callable[[str | None, str | None], FetchCertificate]
"""Returns what fetches in the name of a caller: their token, which Keystone has given, and the id of their project."""


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


def is_signed(properties: Mapping[str, str]) -> bool:
    """Return whether the data of an image with ``properties`` must have a signature."""
    return all(name in properties for name in PROPERTIES)


def signature_check(properties: Mapping[str, str], fetch_certificate: FetchCertificate) -> SignatureCheck | None:
    """Return an observer for the data of an image with ``properties``, None where it is not signed.

    Raises SignatureInvalid where the properties make no sense, and what ``fetch_certificate`` raises. Blocks for it.
    """
    if not is_signed(properties):
        return None
    try:
        from cursive.signature_utils import HASH_METHODS, SignatureKeyType
    except ImportError as error:
        raise SignatureInvalid(reason="this service was installed without the part 'signatures'.") from error
    signature, hash_method, key_type, certificate_id = (properties[name] for name in PROPERTIES)
    _check_choice("img_signature_hash_method", hash_method, HASH_METHODS)
    _check_choice("img_signature_key_type", key_type, SignatureKeyType.REGISTERED_TYPES)
    if not is_uuid_like(certificate_id):
        raise SignatureInvalid(reason="img_signature_certificate_uuid is no UUID.")
    decoded = _decode(signature)
    kind = SignatureKeyType.lookup(key_type)
    key = _public_key(fetch_certificate(certificate_id))
    if not isinstance(key, kind.public_key_type):
        raise SignatureInvalid(reason=f"the key of certificate {certificate_id} is not one of {key_type}.")
    return SignatureCheck(kind.create_verifier(decoded, HASH_METHODS[hash_method], key))


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise SignatureInvalid(reason=f"{name} is '{value[:40]}'; it must be one of {', '.join(sorted(choices))}.")


def _decode(signature: str) -> bytes:
    try:
        # Line breaks are usual, as programs that write base64 make them.
        decoded = base64.b64decode("".join(signature.split()), validate=True)
    except ValueError as error:
        raise SignatureInvalid(reason="img_signature is not in base64.") from error
    if not decoded:
        raise SignatureInvalid(reason="img_signature is empty.")
    return decoded


def _public_key(certificate: "Certificate") -> object:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return certificate.public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise SignatureInvalid(reason="the key of the certificate is of no known kind.") from error


class KeyManager:
    """The key manager of ``[key_manager]``, opened when the first certificate is wanted: it takes memory and time."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._opened: Any = None

    def certificates(self, token: str | None, project_id: str | None) -> FetchCertificate:
        """Return what fetches certificates in the name of the caller with ``token``, None where Keystone gave none."""

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
            raise SignatureInvalid(reason=f"{certificate_id} is no X.509 certificate.") from error
        except Exception as error:
            # Key managers raise what their libraries raise.
            if _is_refusal(error):
                raise SignatureInvalid(reason=f"you may not read certificate {certificate_id}.") from error
            text = str(error).replace(token, "***") if token else str(error)
            LOG.error("The key manager does not give certificate %s: %s", certificate_id, text)
            raise Unavailable(reason="The key manager does not give the certificate of the signature.") from error

    def _open(self) -> Any:
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
    """Return whether the key manager knows the caller and does not let them read: Barbican says so by its status."""
    return getattr(error.__context__, "status_code", None) == HTTPStatus.FORBIDDEN


def _caller(token: str | None, project_id: str | None) -> object:
    """Return the caller as key managers know one."""
    from oslo_context.context import RequestContext

    class Caller(RequestContext):
        """A caller whom the log lines of this thread do not name."""

        def update_store(self) -> None:
            """Leave the context of the thread as it is."""

    return Caller(auth_token=token, project_id=project_id)


def no_certificates(token: str | None, project_id: str | None) -> FetchCertificate:
    """Return what knows no certificate, for a service without a key manager."""

    def fetch(certificate_id: str) -> "Certificate":
        raise SignatureInvalid(reason="this service has no key manager.")

    return fetch
