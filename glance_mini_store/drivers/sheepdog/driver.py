"""The ``sheepdog`` driver: names, locations and publication; ``cluster`` runs the program.

A location names the node through which the data was written; every node of a cluster serves all its disks.
"""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written
from glance_mini_store.drivers.sheepdog.cluster import Cluster, Node, Vdi, refuse
from glance_mini_store.drivers.sheepdog.draft import Draft, name_of_draft, remove_drafts
from glance_mini_store.drivers.sheepdog.options import OPTIONS
from glance_mini_store.drivers.sheepdog.process import DogFailed
from glance_mini_store.lanes import Chunk
from glance_mini_store.locations.base import bad_uri
from glance_mini_store.locations.sheepdog import SheepdogLocation
from glance_mini_store.names import check_name, is_name
from glance_mini_store.streams import BLOCK

MIB = 1024 * 1024


class SheepdogDriver(Driver):
    """Disks of one cluster; ``piece`` is how many bytes one run of the program writes."""

    type = "sheepdog"
    schemes = ("sheepdog",)
    options = OPTIONS
    capabilities = frozenset({capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE})

    def __init__(self, cluster: Cluster, piece: int = 64 * MIB) -> None:
        self._cluster = cluster
        self._piece = piece

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver with the configured settings; see ``Driver.from_config``."""
        node = Node(settings.sheepdog_store_address.strip("[]"), settings.sheepdog_store_port)
        cluster = Cluster(settings.sheepdog_dog_path, settings.sheepdog_timeout, node)
        return cls(cluster, settings.sheepdog_store_chunk_size * MIB)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the prefix of new locations, and that of locations through other nodes and of the older form."""
        return (f"sheepdog://{_authority(self._cluster.node)}:", "sheepdog://")

    def check(self) -> None:
        """Verify that the program is there and the cluster answers."""
        self._cluster.check()

    def probe(self) -> int | None:
        """Return None: how much room data has depends on its number of copies. Raises RemoteServiceUnavailable."""
        self._cluster.check()
        return None

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes as one run of the program prints them; see ``Driver.read``."""
        cluster, disk = self._find(location)
        if offset > disk.size:
            raise errors.InvalidRange(offset=offset, location=location)
        rest = disk.size - offset
        return _Reader(cluster, disk.name, offset, rest if length is None else min(length, rest), location)

    def size(self, location: str) -> int:
        """Return the size of the disk in bytes; see ``Driver.size``."""
        return self._find(location)[1].size

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write to a draft and publish it; see ``Driver.write``. Chunks are not kept."""
        check_name(name)
        location = f"sheepdog://{_authority(self._cluster.node)}:{name}"
        if self._cluster.find(name) is not None:
            raise errors.Duplicate(location=location)
        draft = Draft(self._cluster, name, size, self._piece)
        try:
            for chunk in chunks:
                draft.write(chunk)
            draft.publish(name)
        except BaseException as failure:
            if not draft.remove():
                errors.mark_leftovers(failure)
            raise
        return Written(location, draft.size)

    def discard(self, name: str) -> None:
        """Delete the drafts and the disk of ``name``; see ``Driver.discard``."""
        check_name(name)
        remove_drafts(self._cluster, name)
        if self._cluster.find(name) is not None:
            self._delete(self._cluster, name, name)

    def names(self) -> Iterable[str]:
        """Return the names of all disks and drafts of the cluster; see ``Driver.names``."""
        disks = {vdi.name for vdi in self._cluster.vdis()}
        return {name for disk in disks if (name := name_of_draft(disk) or disk) and is_name(name)}

    def delete(self, location: str) -> None:
        """Delete the disk. Raises NotFound, HasSnapshot, BadStoreUri, RemoteServiceUnavailable."""
        cluster, disk = self._find(location)
        self._delete(cluster, disk.name, location)

    def _delete(self, cluster: Cluster, name: str, location: str) -> None:
        if any(vdi.is_snapshot for vdi in cluster.vdis(name)):
            raise errors.HasSnapshot(location=location)
        cluster.delete(name)
        if cluster.find(name) is not None:
            raise errors.RemoteServiceUnavailable(reason=f"dog did not delete the disk {name}")

    def _find(self, location: str) -> tuple[Cluster, Vdi]:
        """Return the disk and the cluster that reaches it; raises BadStoreUri, NotFound."""
        parsed = SheepdogLocation(None, None)
        parsed.parse_uri(location)
        if parsed.image.startswith("-") or name_of_draft(parsed.image) is not None:
            bad_uri(location, "this name is not that of an image")
        cluster = self._cluster
        if parsed.addr is not None and parsed.port is not None:
            if parsed.addr.startswith("-"):
                bad_uri(location, "the address is malformed")
            cluster = cluster.at(Node(parsed.addr.strip("[]"), int(parsed.port)))
        disk = cluster.find(parsed.image)
        if disk is None:
            raise errors.NotFound(location=location)
        return cluster, disk


class _Reader(Iterator[bytes]):
    """The bytes of a disk in blocks of 1 MiB; fewer bytes than expected are an error."""

    def __init__(self, cluster: Cluster, disk: str, offset: int, length: int, location: str) -> None:
        self._left = length
        self._location = location
        self._process = cluster.reading(disk, offset, length) if length else None

    def __next__(self) -> bytes:
        if self._process is None or not self._left:
            self.close()
            raise StopIteration
        try:
            block = self._block()
        except BaseException:
            self.close()
            raise
        return block

    def close(self) -> None:
        """End the program; may be repeated."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        self._left = 0

    def _block(self) -> bytes:
        assert self._process is not None
        wanted = min(BLOCK, self._left)
        pieces = []
        while wanted:
            piece = self._process.read(wanted)
            if not piece:
                self._fail()
            pieces.append(piece)
            wanted -= len(piece)
            self._left -= len(piece)
        if not self._left:
            self._finish()
        return b"".join(pieces)

    def _finish(self) -> None:
        assert self._process is not None
        try:
            self._process.finish()
        except DogFailed as failure:
            refuse(failure, self._location)

    def _fail(self) -> None:
        self._finish()
        raise errors.RemoteServiceUnavailable(reason=f"dog printed {self._left} bytes too few")


def _authority(node: Node) -> str:
    address = f"[{node.address}]" if ":" in node.address else node.address
    return f"{address}:{node.port}"
