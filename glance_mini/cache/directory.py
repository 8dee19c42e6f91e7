"""The directory of the cache: its entries, their total size, and what is removed to make room.

The files are the only truth about what is cached. Errors are OSError.
"""

import os
import secrets
import shutil
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from glance_mini.cache import entry as files
from glance_mini.cache.entry import BLOCK, DATA, INDEX, Entry
from glance_mini.cache.locks import hold, node_lock

_SLACK = 20
"""When images make room, so much more than is needed, as a part of the limit, that the next ones need not look."""

_OPEN_ATTEMPTS = 50
_OPEN_PAUSE = 0.01


@dataclass(frozen=True)
class Kept:
    """What the directory says about an entry: ``cached`` are the bytes of its blocks, ``disk`` those that it occupies.

    ``planned`` are the bytes that running fills may bring it to. Times are Unix seconds by the clock of the node.
    """

    name: str
    size: int
    cached: int
    disk: int
    planned: int
    used_at: float
    changed_at: float

    @property
    def image_id(self) -> str:
        """The image; it may have several entries if its data was replaced."""
        return image_of(self.name)

    @property
    def is_complete(self) -> bool:
        """Whether all blocks are there."""
        return self.cached == self.size


@dataclass(frozen=True)
class Removed:
    """The number of entries that were removed, and the bytes that they occupied."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.files + other.files, self.bytes + other.bytes)


class CacheDirectory:
    """The entries of one node below ``path``; all processes of the node use it at once."""

    def __init__(self, path: Path, limit: int) -> None:
        """``limit`` is the size in bytes that the entries may have together."""
        self.path = path
        self.limit = limit
        self._entries, self._new, self._trash = (path / name for name in ("images", "new", "trash"))

    def prepare(self) -> None:
        """Make the directories."""
        for each in (self._entries, self._new, self._trash):
            each.mkdir(mode=0o750, parents=True, exist_ok=True)

    def device(self) -> int:
        """Return the number of the file system."""
        return os.stat(self.path).st_dev

    def lock(self, name: str, *, wait: bool = False) -> AbstractContextManager[bool]:
        """Return a context in which one process of the node holds the lock ``name``; it yields whether it does."""
        return node_lock(self.path / f"{name}.lock", wait=wait)

    # entries

    def open(self, name: str, size: int) -> Entry | None:
        """Return the entry ``name`` for data of ``size`` bytes, None if there is none."""
        return Entry.open(self._entries / name, size)

    def open_or_make(self, name: str, size: int) -> Entry | None:
        """Return the entry ``name``, which may be new; None if it cannot be made now."""
        for attempt in range(_OPEN_ATTEMPTS):
            if (entry := self.open(name, size)) is not None:
                return entry
            if attempt:
                time.sleep(_OPEN_PAUSE)
            if not self._is_usable(name, size):
                self._discard(name)
            self._make(name, size)
        return None

    def _is_usable(self, name: str, size: int) -> bool:
        """Return whether the entry is none of another form or for another size; one that is not there is."""
        with _index(self._entries / name) as index:
            if index is None:
                return not (self._entries / name).exists()
            header = files.read_header(index)
            return header is not None and header.size == size and (self._entries / name / DATA).exists()

    def _discard(self, name: str) -> None:
        """Remove an entry, whatever it holds."""
        away = self._trash / secrets.token_hex(8)
        with suppress(FileNotFoundError):
            os.rename(self._entries / name, away)
            shutil.rmtree(away, ignore_errors=True)

    def _make(self, name: str, size: int) -> None:
        """Make the entry in one step, unless it exists."""
        new = self._new / secrets.token_hex(8)
        new.mkdir(mode=0o750)
        with _holding(new):
            try:
                files.create(new, size)
                os.rename(new, self._entries / name)
            except OSError:
                shutil.rmtree(new, ignore_errors=True)
                if not (self._entries / name).exists():
                    raise

    def names(self) -> Sequence[str]:
        """Return the names of all entries."""
        return os.listdir(self._entries)

    def list(self) -> Sequence[Kept]:
        """Return all entries, the longest unused first."""
        with os.scandir(self._entries) as found:
            kept = [each for item in found if (each := self._kept(item.name)) is not None]
        return sorted(kept, key=lambda each: each.used_at)

    def _kept(self, name: str) -> Kept | None:
        with _index(self._entries / name) as index:
            if index is None or (header := files.read_header(index)) is None:
                return None
            try:
                data = os.stat(self._entries / name / DATA)
            except FileNotFoundError:
                return None
            size, state = header.size, os.fstat(index)
            blocks = -(-size // BLOCK)
            if header.verified == (data.st_mtime_ns, data.st_ctime_ns):
                cached = size
            else:
                cached = files.count_marks(index, 0, blocks) * BLOCK
                if size % BLOCK and files.count_marks(index, blocks - 1, blocks):
                    cached -= BLOCK - size % BLOCK
            disk = (data.st_blocks + state.st_blocks) * 512
            return Kept(name, size, cached, disk, header.planned, header.used / 1e9, data.st_mtime)

    def remove(self, names: Iterable[str], *, is_forced: bool = False) -> Removed:
        """Remove the entries that nobody uses, and return what was removed.

        ``is_forced``: also those in use; who reads them goes on, and nobody else finds them.
        """
        removed = Removed()
        for name in names:
            path = self._entries / name
            away = self._trash / secrets.token_hex(8)
            with _index(path) as index, suppress(FileNotFoundError):
                if index is not None and (is_forced or files.try_lock_all(index)):
                    disk = sum(each.stat().st_blocks * 512 for each in path.iterdir())
                    os.rename(path, away)
                    removed += Removed(1, disk)
            shutil.rmtree(away, ignore_errors=True)
        return removed

    # room

    def reserve(self, name: str, count: int) -> bool:
        """Make room for ``count`` more bytes of the entry ``name``; False if the entries in use leave too little."""
        with self.lock("room", wait=True):
            total = self._read_total()
            if total is None or total + count > self.limit:
                total, _ = self._shrink(self.limit - count - self.limit // _SLACK, keep=name)
            if total + count > self.limit:
                self._write_total(total)
                return False
            self._plan(name, count)
            self._write_total(total + count)
            return True

    def shrink(self) -> Removed:
        """Measure the entries, and remove the longest unused ones until the rest is within the limit."""
        with self.lock("room", wait=True):
            total, removed = self._shrink(self.limit)
            self._write_total(total)
        return removed

    def room(self) -> int:
        """Return how many bytes can be added without removing anything."""
        return self.limit - sum(max(each.disk, each.planned) for each in self.list())

    def _shrink(self, limit: int, keep: str | None = None) -> tuple[int, Removed]:
        kept = self.list()
        removed = Removed()
        sizes = {each.name: max(each.disk, self._still_planned(each)) for each in kept}
        total = sum(sizes.values())
        for each in kept:
            if total <= limit:
                break
            if each.name != keep and (gone := self.remove([each.name])).files:
                removed += gone
                total -= sizes[each.name]
        return total, removed

    def _still_planned(self, kept: Kept) -> int:
        """Return the planned bytes, after forgetting a plan whose fill is over."""
        if not kept.planned:
            return 0
        with _index(self._entries / kept.name) as index:
            if index is not None and files.try_lock_all(index):
                files.set_planned(index, 0)
                return 0
        return kept.planned

    def _plan(self, name: str, count: int) -> None:
        with _index(self._entries / name) as index:
            if index is not None and (header := files.read_header(index)) is not None:
                disk = os.stat(self._entries / name / DATA).st_blocks * 512
                files.set_planned(index, max(header.planned, disk) + count)

    def _read_total(self) -> int | None:
        try:
            raw = (self.path / "total").read_bytes()
        except FileNotFoundError:
            return None
        return int(struct.unpack("<Q", raw)[0]) if len(raw) == 8 else None

    def _write_total(self, total: int) -> None:
        (self.path / "total").write_bytes(struct.pack("<Q", max(0, total)))

    # leftovers

    def clean(self) -> int:
        """Remove what killed processes left behind, and what is no entry; return the number of leftovers."""
        leftovers = list(self._trash.iterdir())
        for new in self._new.iterdir():
            with _holding(new) as is_abandoned:
                leftovers += [new] if is_abandoned else []
        with os.scandir(self._entries) as found:
            for item in found:
                if self._kept(item.name) is None and Path(item.path).exists():
                    leftovers.append(Path(item.path))
                    self._discard(item.name)
        for each in leftovers:
            shutil.rmtree(each, ignore_errors=True)
        return len(leftovers)

    def shift_times(self, seconds: float) -> None:
        """Move the times of use of all entries, because the clock of the node was set."""
        for kept in self.list():
            with _index(self._entries / kept.name) as index:
                if index is not None:
                    files.set_used(index, int((kept.used_at + seconds) * 1e9))


def image_of(name: str) -> str:
    """Return the image whose data the entry ``name`` holds."""
    return name.partition(".")[0]


@contextmanager
def _index(path: Path) -> Iterator[int | None]:
    try:
        descriptor = os.open(path / INDEX, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _holding(directory: Path) -> Iterator[bool]:
    """Hold a new directory during the block, so that ``clean`` leaves it; yields False if another holds it."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    with hold(descriptor, wait=False) as is_held:
        yield is_held
