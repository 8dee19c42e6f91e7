"""Ceph's own Python modules, loaded when the driver is configured, and the part of them that it uses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypedDict

from glance_mini_store.extras import import_library

_ORIGIN = (
    "Ceph's own modules are not on PyPI. Install those of your distribution for the same version of Python, on Debian "
    "12 python3-rados and python3-rbd for Python 3.11"
)


class Snapshot(TypedDict):
    """A snapshot of an image."""

    name: str


class TrashEntry(TypedDict):
    """An image in the trash of a pool."""

    id: str
    name: str


class Image(Protocol):
    """An open image, perhaps at a snapshot."""

    def close(self) -> None:
        """Close it; further calls do nothing."""

    def size(self) -> int:
        """Return the bytes of the image or the snapshot."""

    def id(self) -> str:
        """Return its id in the pool."""

    def create_timestamp(self) -> datetime:
        """Return when it was made, in UTC without a zone."""

    def features(self) -> int:
        """Return the bits of its features."""

    def resize(self, size: int) -> None:
        """Change its size in bytes."""

    def flush(self) -> None:
        """Return when all ended writes are durable."""

    def write(self, data: bytes, offset: int) -> int:
        """Write all of ``data``; return its length."""

    def read(self, offset: int, length: int) -> bytes:
        """Return what is there, all of it."""

    def diff_iterate(
        self,
        offset: int,
        length: int,
        from_snapshot: str | None,
        iterate_cb: Callable[[int, int, bool], None],
        include_parent: bool = True,
        whole_object: bool = False,
    ) -> None:
        """Call ``iterate_cb`` with offset and length of each extent that was written (true) or discarded (false)."""

    def metadata_set(self, key: str, value: str) -> None:
        """Set a key of the image's own metadata."""

    def metadata_get(self, key: str) -> str:
        """Return the value of a key of the image's own metadata; raises KeyError."""

    def list_snaps(self) -> Iterable[Snapshot]:
        """Return its snapshots."""

    def set_snap(self, name: str | None) -> None:
        """Look at a snapshot from now on, or at the image."""

    def list_children2(self) -> Iterable[object]:
        """Return the clones of the snapshot."""

    def watchers_list(self) -> Iterable[object]:
        """Return the clients that have it open for writing, this one too."""

    def create_snap(self, name: str) -> None:
        """Make a snapshot."""

    def protect_snap(self, name: str) -> None:
        """Let it be cloned, and not be removed."""

    def is_protected_snap(self, name: str) -> bool:
        """Return whether it is protected."""

    def unprotect_snap(self, name: str) -> None:
        """Let it be removed; refused while there are clones."""

    def remove_snap(self, name: str) -> None:
        """Remove a snapshot."""


class Pool(Protocol):
    """An open pool (``rados.Ioctx``)."""

    def read(self, key: str, length: int) -> bytes:
        """Return the first bytes of an object."""

    def set_osdmap_full_try(self) -> None:
        """Let writes to a full pool fail; by default they wait."""


class OpenImage(Protocol):
    """``rbd.Image``."""

    def __call__(
        self,
        ioctx: Pool,
        name: str | None = None,
        snapshot: str | None = None,
        read_only: bool = False,
        image_id: str | None = None,
    ) -> Image:
        """Open an image by name or id."""


class Images(Protocol):
    """The images of pools (``rbd.RBD``)."""

    def create(
        self, ioctx: Pool, name: str, size: int, order: int | None = None, *, data_pool: str | None = None
    ) -> None:
        """Create an image; its objects have 2 to the power of ``order`` bytes."""

    def remove(self, ioctx: Pool, name: str) -> None:
        """Remove an image without snapshots."""

    def list(self, ioctx: Pool) -> list[str]:
        """Return the names of all images of a pool."""

    def trash_move(self, ioctx: Pool, name: str) -> None:
        """Move an image to the trash; refused while a client has it open for writing."""

    def trash_list(self, ioctx: Pool) -> Iterable[TrashEntry]:
        """Return what is in the trash."""

    def trash_remove(self, ioctx: Pool, image_id: str) -> None:
        """Remove an image in the trash; refused while somebody wants it kept, or it has snapshots."""


class Connection(Protocol):
    """A cluster (``rados.Rados``)."""

    def connect(self) -> None:
        """Connect."""

    def shutdown(self) -> None:
        """End all that is in flight, and disconnect."""

    def get_fsid(self) -> str:
        """Return the id of the cluster."""

    def open_ioctx(self, name: str) -> Pool:
        """Open a pool."""

    def wait_for_latest_osdmap(self) -> None:
        """Return when the client knows what the cluster has now."""

    def pool_exists(self, name: str) -> bool:
        """Return whether there is a pool of this name, as far as the client knows."""

    def mon_command(self, command: str, data: bytes, timeout: int) -> tuple[int, bytes, str]:
        """Return the result (0, else a negative errno), the output and what else is said."""


class MakeConnection(Protocol):
    """``rados.Rados``."""

    def __call__(self, *, conffile: str, rados_id: str | None, conf: dict[str, str]) -> Connection:
        """Read the configuration; does not connect."""


@dataclass(frozen=True)
class Library:
    """What the driver calls; ``errors`` are the roots of what it raises, most of which have an ``errno``."""

    make_connection: MakeConnection
    open_image: OpenImage
    images: Images
    errors: tuple[type[Exception], ...]


def load() -> Library:
    """Return the modules; raises DriverLoadFailure with where to get them."""
    rados = import_library("rados", driver="rbd", origin=_ORIGIN)
    rbd = import_library("rbd", driver="rbd", origin=_ORIGIN)
    return Library(rados.Rados, rbd.Image, rbd.RBD(), (rados.Error, rbd.Error))
