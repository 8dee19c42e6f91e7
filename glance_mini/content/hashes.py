"""The hashes of image data: those that an image shows, and those that the user of an import expects."""

import hashlib
import hmac
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypedDict

from oslo_config import cfg

from glance_mini.domain.errors import Invalid
from glance_mini_store.lanes import Chunk
from glance_mini_store.streams import Hashes

_HEX = re.compile(r"[0-9a-f]+")


_CHECKSUM = "md5"

_WAITING = 2
"""Chunks that wait for the thread of each algorithm."""


class HashValues(TypedDict):
    """What an image shows of the hashes of its data, in hexadecimal digits."""

    checksum: str | None
    os_hash_algo: str
    os_hash_value: str


@dataclass(frozen=True)
class ImageHashes:
    """The hashes that are computed of new data: ``algorithm``, and md5 for the checksum unless that is off."""

    algorithm: str = "sha512"
    has_checksum: bool = True

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the hashes that ``[DEFAULT] hashing_algorithm`` and ``compute_checksum`` ask for."""
        return cls(conf.hashing_algorithm, conf.compute_checksum)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Return the names of the algorithms, each once."""
        return tuple(dict.fromkeys((_CHECKSUM, self.algorithm))) if self.has_checksum else (self.algorithm,)

    def values(self, digests: Mapping[str, str]) -> HashValues:
        """Return the values for an image with ``digests``, which are of ``algorithms``."""
        return HashValues(
            checksum=digests[_CHECKSUM] if self.has_checksum else None,
            os_hash_algo=self.algorithm,
            os_hash_value=digests[self.algorithm],
        )


def hashes_beside(algorithms: Sequence[str]) -> Hashes:
    """Return hashes for a stream that is read and written meanwhile: several have a thread each, if they gain by it."""
    return Hashes(algorithms, _WAITING if len(algorithms) > 1 and (os.cpu_count() or 1) > 1 else None)


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
