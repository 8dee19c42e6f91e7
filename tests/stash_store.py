"""A driver in memory in which users keep data of their own that they may name as the data of images."""

import copy
import hashlib
from collections.abc import Iterator
from typing import Self

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.driver import UserData
from glance_mini_store.drivers.memory import MemoryDriver


class StashDriver(MemoryDriver):
    """Users of the project ``p`` keep their data under names that begin with ``p-``; ``refusal`` refuses them all."""

    def __init__(self, store_id: str) -> None:
        super().__init__(store_id)
        self.caller = Caller()
        self.version: str | None = None
        self.refusal: errors.StoreError | None = None
        self.deleted: list[str] = []

    def put(self, name: str, data: bytes) -> str:
        """Store data of a user, in place of what was there, and return its location."""
        self.discard(name)
        return self.write(name, [data], len(data)).location

    def for_caller(self, caller: Caller) -> Self:
        other = copy.copy(self)
        other.caller = caller
        return other

    def pinned(self, version: str) -> Self:
        other = self.for_caller(Caller())
        other.version = version
        return other

    def user_data(self, location: str) -> UserData | None:
        if self.refusal is not None:
            raise self.refusal
        name = location.rpartition("/")[2]
        if not name.startswith(f"{self.caller.project_id}-"):
            return None
        data = b"".join(super().read(location))
        return UserData(len(data), _version(data))

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self._check(location)
        return super().read(location, offset, length)

    def size(self, location: str) -> int:
        self._check(location)
        return super().size(location)

    def delete(self, location: str) -> None:
        self.deleted.append(location)
        super().delete(location)

    def _check(self, location: str) -> None:
        if self.version is not None and _version(b"".join(super().read(location))) != self.version:
            raise errors.DataChanged(location=location)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]
