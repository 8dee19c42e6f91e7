"""Locations as Glance stores them when ``metadata_encryption_key`` is set.

A stored location is URL-safe Base64 of an initial vector of 16 bytes and the text, encrypted by AES in CBC mode. The
text is followed by a zero byte and random bytes up to a multiple of 16. This is what databases hold that Glance wrote.
"""

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from glance_mini.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 16

KEY_LENGTHS = (16, 24, 32)


class LocationCipher:
    """Encrypts and decrypts locations with the characters of one key."""

    def __init__(self, key: str) -> None:
        """Raises ConfigurationError for a key that AES cannot use, or without the package that does the work."""
        self._key = key.encode()
        if len(self._key) not in KEY_LENGTHS:
            raise ConfigurationError(reason="metadata_encryption_key must have 16, 24 or 32 bytes.")
        try:
            import cryptography  # noqa: F401
        except ImportError as error:
            reason = "metadata_encryption_key needs the Python package cryptography; run: pip install cryptography"
            raise ConfigurationError(reason=reason) from error

    def decrypt(self, stored: str) -> str | None:
        """Return the location; None if ``stored`` was not encrypted with this key."""
        try:
            data = urlsafe_b64decode(stored.encode("ascii"))
        except (UnicodeEncodeError, binascii.Error):
            return None
        if len(data) < 2 * BLOCK or len(data) % BLOCK:
            return None
        decryptor = self._cipher(data[:BLOCK]).decryptor()
        text, end, _ = (decryptor.update(data[BLOCK:]) + decryptor.finalize()).rpartition(b"\0")
        try:
            return text.decode() if end else None
        except UnicodeDecodeError:
            return None

    def encrypt(self, url: str) -> str:
        """Return what Glance would store for ``url``."""
        vector = os.urandom(BLOCK)
        text = url.encode() + b"\0"
        # No random byte may be zero, because the last zero byte ends the text.
        padding = bytes(1 + byte % 255 for byte in os.urandom(-len(text) % BLOCK))
        encryptor = self._cipher(vector).encryptor()
        data = encryptor.update(text + padding) + encryptor.finalize()
        return urlsafe_b64encode(vector + data).decode()

    def _cipher(self, vector: bytes) -> "Cipher[CBC]":
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._key), modes.CBC(vector))
