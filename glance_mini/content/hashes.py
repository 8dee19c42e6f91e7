"""Compares imported data with the hashes that its user expects, before the data becomes that of an image."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from glance_mini.domain.errors import Invalid
from glance_mini_store.lanes import Chunk

_HEX = re.compile(r"[0-9a-f]+")


class HashMismatch(Invalid):
    """The data is not what the user expected."""

    code = "import.hash_mismatch"
    template = "The {algorithm} of the data is {found}; {expected} was expected."


class ExpectedHashes:
    """Observes data on its way to a store; raises HashMismatch at its end if it is not the expected data."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        """``expected`` maps names of algorithms to hex digests; raises Invalid if one can never match."""
        self._expected = {name.lower(): digest.strip().lower() for name, digest in expected.items()}
        self._hashes = {name: _new_hash(name) for name in self._expected}
        for name, digest in self._expected.items():
            length = 2 * self._hashes[name].digest_size
            if len(digest) != length or not _HEX.fullmatch(digest):
                raise Invalid(reason=f"The expected {name} must be {length} hexadecimal digits.")

    def update(self, block: Chunk) -> None:
        """Process the next block of the data."""
        for algorithm in self._hashes.values():
            algorithm.update(block)

    def finish(self) -> None:
        """Check the digests after the last block; raises HashMismatch."""
        for name, expected in self._expected.items():
            found = self._hashes[name].hexdigest()
            if not hmac.compare_digest(found, expected):
                raise HashMismatch(algorithm=name, found=found, expected=expected)


def _new_hash(name: str) -> "hashlib._Hash":
    """Return a new hash; raises Invalid if the algorithm is unknown or has no fixed digest length (shake)."""
    try:
        algorithm = hashlib.new(name, usedforsecurity=False)
    except ValueError as error:
        raise Invalid(reason=f"The hash algorithm '{name[:40]}' is not supported.") from error
    if not algorithm.digest_size:
        raise Invalid(reason=f"The digest of '{name}' has no fixed length.")
    return algorithm
