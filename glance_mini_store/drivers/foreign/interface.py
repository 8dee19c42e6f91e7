"""What this library calls of a foreign driver, and the numbers of its capabilities (api-library-compat)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from oslo_config import cfg

from glance_mini_store.location import Location
from glance_mini_store.locations.base import StoreLocation

READ_ACCESS = 1
READ_OFFSET = 3
READ_CHUNK = 5
WRITE_ACCESS = 8
DRIVER_REUSABLE = 64


class Readable(Protocol):
    """A file that can be read once."""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most ``size`` if that is not negative; none at the end."""


class ForeignStore(Protocol):
    """One store of a foreign driver."""

    OPTIONS: Sequence[cfg.Opt] | None

    def __init__(self, conf: cfg.ConfigOpts, backend: str | None = None) -> None: ...

    def configure(self, re_raise_bsc: bool = False) -> None:
        """Prepare the store; raises BadStoreConfiguration."""

    def is_capable(self, *capabilities: int) -> bool:
        """Return whether the store has all of these capabilities."""

    def get_schemes(self) -> Iterable[str]:
        """Return the URI schemes."""

    def get_store_location_class(self) -> type[StoreLocation]:
        """Return the class of the locations."""

    def get(
        self, location: Location, offset: int = 0, chunk_size: int | None = None, context: object = None
    ) -> tuple[Iterable[bytes], int]:
        """Return the bytes and how many they are."""

    def get_size(self, location: Location, context: object = None) -> int:
        """Return the size in bytes."""

    def add(
        self,
        image_id: str,
        image_file: Readable,
        image_size: int,
        hashing_algo: str,
        context: object = None,
        verifier: object = None,
    ) -> tuple[str, int, str, str | None, Mapping[str, object] | None]:
        """Store the data; return URI, size, checksum, digest and metadata."""

    def delete(self, location: Location, context: object = None) -> None:
        """Delete the data."""

    def set_acls(
        self,
        location: Location,
        public: bool = False,
        read_tenants: Sequence[str] | None = None,
        write_tenants: Sequence[str] | None = None,
        context: object = None,
    ) -> None:
        """Let projects read."""
