"""Reads an image from its volume."""

from collections.abc import Callable, Iterator

from glance_mini_store.drivers.cinder.attaching import Attached, SharedReads

_SPAN = 4 * 1024 * 1024
"""Bytes that are read at once."""

_BLOCK = 1024 * 1024


class Blocks(Iterator[bytes]):
    """The bytes from ``offset`` to ``end`` of a volume, which is attached until they are read or it is closed."""

    def __init__(
        self, reads: SharedReads, volume_id: str, attach: Callable[[], Attached], offset: int, end: int
    ) -> None:
        self._reads = reads
        self._volume_id = volume_id
        self._offset = offset
        self._end = end
        self._span = memoryview(b"")
        self._attached: Attached | None = None
        if offset < end:
            self._attached = reads.enter(volume_id, attach)

    def __next__(self) -> bytes:
        try:
            if not self._span:
                self._read()
            block, self._span = self._span[:_BLOCK], self._span[_BLOCK:]
            return bytes(block)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the volume back; further calls do nothing."""
        self._end = self._offset
        self._span = memoryview(b"")
        if self._attached is None:
            return
        self._attached = None
        self._reads.leave(self._volume_id)

    def _read(self) -> None:
        length = min(_SPAN, self._end - self._offset)
        if self._attached is None or not length:
            raise StopIteration
        self._span = memoryview(self._attached.device.read(self._offset, length))
        self._offset += length
        if self._offset == self._end:
            # The last bytes are here: others may have the volume now.
            span = self._span
            self.close()
            self._span = span
