"""An image of a service as a disk that is read by ranges, and the hashes of its blocks."""

from collections.abc import Iterator

from glance_mini.cmd.transfers.cloud import Images, Values
from glance_mini.content.qcow2.block_hashes import BLOCK, SMALL_BLOCK
from glance_mini.domain.errors import Unavailable

_RAW = {"format": "raw"}


class RemoteDisk:
    """The bytes that a guest of an image sees; a source of ``content.qcow2``. ``received`` counts them."""

    def __init__(self, images: Images, image_id: str, size: int) -> None:
        self.size = size
        self.received = 0
        self._images = images
        self._image_id = image_id

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; raises Unavailable."""
        return b"".join(self.stream(offset, length))

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``offset``."""
        for chunk in self._images.data(self._image_id, offset, offset + length, _RAW):
            self.received += len(chunk)
            yield chunk


class RemoteHashes:
    """The hashes of the blocks of an image, as the service has computed them (``DiskHashes``)."""

    def __init__(self, images: Images, image_id: str) -> None:
        self._images = images
        self._image_id = image_id
        self.size = _number(images.blocks(image_id, {"limit": "1"}), "virtual_size")

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, SHA-256) of the blocks of 1 MiB, page after page."""
        return self._pages({}, BLOCK)

    def parts(self, block: int) -> dict[int, bytes]:
        """Return the SHA-256 of the parts of 64 KiB of one block, by number."""
        return dict(self._pages({"within": str(block)}, SMALL_BLOCK))

    def _pages(self, query: dict[str, str], size: int) -> Iterator[tuple[int, bytes]]:
        marker: str | None = None
        while True:
            page = self._images.blocks(self._image_id, query if marker is None else query | {"marker": marker})
            if page.get("block_size") != size:
                raise Unavailable(reason=f"The image service has blocks of another size: {page.get('block_size')}")
            found = page["blocks"]
            assert isinstance(found, list)
            for one in found:
                if one["sha256"] is not None:
                    yield one["offset"] // size, bytes.fromhex(one["sha256"])
            if not found or not page.get("next"):
                return
            marker = str(found[-1]["offset"] + found[-1]["length"])


def _number(values: Values, name: str) -> int:
    number = values.get(name)
    if not isinstance(number, int):
        raise Unavailable(reason=f"The image service does not say the {name} of the image.")
    return number
