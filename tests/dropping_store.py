"""A driver in memory to which clients send data by an address, as they send it to a real store."""

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Written
from glance_mini_store.drivers.memory import MemoryDriver

ADDRESS = "https://store.example.com/"


class DroppingDriver(MemoryDriver):
    """``sent`` is what lies under the names of addresses; ``signed`` are their seconds and sizes.

    ``refuses``: it finds out that addresses would not be safe, and makes none.
    """

    capabilities = MemoryDriver.capabilities | {capabilities.UPLOAD}

    def __init__(self, store_id: str) -> None:
        super().__init__(store_id)
        self.sent: dict[str, bytes] = {}
        self.signed: list[tuple[int, int]] = []
        self.refuses = False

    def presigned_upload(self, name: str, seconds: int, size: int) -> str:
        if self.refuses:
            raise errors.StoreAddDisabled()
        self.signed.append((seconds, size))
        return f"{ADDRESS}{name}?signature=secret"

    def send(self, url: str, data: bytes) -> None:
        """Do what a PUT to the address does, whatever the size."""
        self.sent[url.removeprefix(ADDRESS).partition("?")[0]] = data

    def uploaded(self, name: str) -> int | None:
        return len(self.sent[name]) if name in self.sent else None

    def adopt(self, source: str, name: str, size: int) -> Written:
        if source not in self.sent:
            raise errors.NotFound(location=source)
        data = self.sent[source]
        if len(data) != size:
            raise errors.SizeMismatch(expected=size, received=len(data))
        return self.write(name, [data], size)

    def discard(self, name: str) -> None:
        self.sent.pop(name, None)
        super().discard(name)
