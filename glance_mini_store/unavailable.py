"""The driver of a store that could not be set up: every operation raises the reason."""

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written
from glance_mini_store.lanes import Chunk


class UnavailableDriver(Driver):
    """Replaces the driver ``name``; every operation raises StoreUnavailable.

    It has all capabilities, so that the store is not listed as read-only.
    """

    capabilities = capabilities.ALL

    def __init__(self, name: str, schemes: tuple[str, ...], reason: str) -> None:
        self.type = name  # type: ignore[misc]
        self.schemes = schemes  # type: ignore[misc]
        self._reason = reason

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Raise StoreUnavailable: this driver cannot be configured by name."""
        raise errors.StoreUnavailable(reason="this driver cannot be configured")

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Raise StoreUnavailable."""
        raise self._error()

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Raise StoreUnavailable."""
        raise self._error()

    def size(self, location: str) -> int:
        """Raise StoreUnavailable."""
        raise self._error()

    def delete(self, location: str) -> None:
        """Raise StoreUnavailable."""
        raise self._error()

    def discard(self, name: str) -> None:
        """Raise StoreUnavailable."""
        raise self._error()

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Raise StoreUnavailable."""
        raise self._error()

    def probe(self) -> int | None:
        """Raise StoreUnavailable."""
        raise self._error()

    def _error(self) -> errors.StoreUnavailable:
        return errors.StoreUnavailable(reason=self._reason)
