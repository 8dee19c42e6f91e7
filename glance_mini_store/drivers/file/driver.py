"""The ``file`` driver: one file for each write, flat in a directory, published in one step.

The store driver guide describes names, temporary names and holes. ``placement`` chooses the directory of a file,
``partial`` publishes it.
"""

import contextlib
import errno
import logging
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, StoredObject, Written
from glance_mini_store.drivers.file import placement
from glance_mini_store.drivers.file.draft import FileDraft
from glance_mini_store.drivers.file.gathering import gathered
from glance_mini_store.drivers.file.options import DEFAULT_DIRECTORY, OPTIONS
from glance_mini_store.drivers.file.partial import (
    PartialFile,
    data_runs,
    locked,
    names_in,
    publish_link,
    published_in,
    remove_all,
    sync_directory,
)
from glance_mini_store.drivers.file.placement import Directory
from glance_mini_store.drivers.file.writeback import COPY_KEPT
from glance_mini_store.lanes import Chunk
from glance_mini_store.locations.file import FileLocation
from glance_mini_store.streams import FileRange

LOG = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_NOT_LINKED = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
"""Errors of a hard link that is not possible here, for example between two mounts."""
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NAME_MAX = 200
"""Largest name in bytes; the temporary name must stay below the 255 bytes of common file systems."""

_DIRECT_FROM = 64 * 1024 * 1024
"""Bytes of the smallest file that is written without the page cache, if its size is known."""


class FileDriver(Driver):
    """``directory`` or ``directories`` hold the files; see ``options`` for the other arguments."""

    type = "file"
    schemes = ("file", "filesystem")
    options = OPTIONS
    capabilities = frozenset(
        {
            *(capabilities.READ, capabilities.WRITE, capabilities.DELETE),
            *(capabilities.RANGE, capabilities.DRAFT, capabilities.LIST),
        }
    )

    def __init__(
        self,
        directory: str = "",
        *,
        directories: Sequence[Directory] = (),
        permissions: int = 0,
        grain: int = 65536,
        thin: bool = True,
        direct: bool = False,
    ) -> None:
        self._directories = tuple(directories) or (Directory(directory),)
        self._permissions = permissions
        self._thin = thin
        self._direct = direct
        self._zeros = bytes(grain)

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver for the directories that the options name; see ``Driver.from_config``."""
        single, several = settings.filesystem_store_datadir, settings.filesystem_store_datadirs or []
        if not single and not several:
            single = DEFAULT_DIRECTORY
        return cls(
            directories=placement.directories_from(single, several, settings.filesystem_store_metadata_file),
            permissions=_permissions(settings.filesystem_store_file_perm),
            grain=settings.filesystem_store_chunk_size,
            thin=settings.filesystem_thin_provisioning,
            direct=settings.filesystem_direct_io,
        )

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the directories as URIs of both schemes."""
        return tuple(f"{scheme}://{each.path}/" for scheme in self.schemes for each in self._directories)

    def check(self) -> None:
        """Create missing directories. Raises BadStoreConfiguration if one cannot be created or written to."""
        for directory in self._directories:
            try:
                os.makedirs(directory.path, mode=0o750, exist_ok=True)
                writable = os.access(directory.path, os.W_OK | os.X_OK)
            except OSError as error:
                raise _unusable(directory, error.strerror) from error
            if not writable:
                raise _unusable(directory, "it is not writable")

    def probe(self) -> int | None:
        """Return the free bytes of all file systems; raises RemoteServiceUnavailable if a directory is unusable."""
        free = {}
        for directory in self._directories:
            try:
                state = os.statvfs(directory.path)
                free[os.stat(directory.path).st_dev] = state.f_bavail * state.f_frsize
            except OSError as error:
                raise errors.RemoteServiceUnavailable(reason=error.strerror or "I/O error") from error
            if not os.path.isdir(directory.path) or not os.access(directory.path, os.W_OK | os.X_OK):
                raise errors.RemoteServiceUnavailable(reason="a directory is missing or not writable")
        return sum(free.values())

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write a new file and publish it after it and its directory are on disk."""
        return self._write(name, chunks, size, kept=None)

    def write_uncached(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write as ``write`` does; only the end of the file stays in the page cache."""
        return self._write(name, chunks, size, kept=COPY_KEPT)

    def _write(self, name: str, chunks: Iterable[Chunk], size: int | None, kept: int | None) -> Written:
        _check_name(name)
        self._refuse_duplicate(name)
        directory = self._choose(size)
        with _translated(directory.path):
            is_direct = self._direct and kept is None and (size is None or size >= _DIRECT_FROM)
            draft = PartialFile(directory.path, name, kept, is_direct)
        try:
            received = self._fill(draft, chunks, directory)
            with _translated(directory.path):
                path = draft.publish(received, self._permissions, self._naming(name))
        finally:
            draft.drop()
        return Written(f"file://{path}", received, directory.metadata)

    def link_in(self, name: str, path: str) -> Written | None:
        """Hard-link the file into the first directory on its file system, after it is on disk."""
        _check_name(name)
        self._refuse_duplicate(name)
        with _translated(path), _existing(path):
            device = os.stat(path).st_dev
            directory = next((each for each in self._directories if os.stat(each.path).st_dev == device), None)
            if directory is None:
                return None
            target = os.path.join(directory.path, name)
            try:
                size = publish_link(path, target, self._permissions, self._naming(name))
            except OSError as error:
                if error.errno in _NOT_LINKED:
                    return None
                raise
        return Written(f"file://{target}", size, directory.metadata)

    def draft(self, name: str, offset: int) -> "_TranslatedDraft":
        """Open the file of a draft, in the directory that has it."""
        _check_name(name)
        paths = [os.path.join(each.path, name) for each in self._directories]
        path = next((each for each in paths if os.path.lexists(each)), None)
        if path is None:
            # Always the same directory, so that the lock of its file excludes another request that begins the draft.
            path = paths[zlib.crc32(name.encode()) % len(paths)]
        with _translated(os.path.dirname(path)):
            return _TranslatedDraft(FileDraft(path, offset), os.path.dirname(path))

    def devices(self) -> frozenset[int]:
        """Return the file systems of the directories."""
        with _translated(", ".join(directory.path for directory in self._directories)):
            return frozenset(os.stat(directory.path).st_dev for directory in self._directories)

    def local_path(self, location: str) -> str | None:
        """Return the path that the location names."""
        self.size(location)
        return self._path(location)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return a ``FileRange`` of the open file."""
        path = self._path(location)
        with _found(location):
            handle = os.open(path, _READ_FLAGS)
        try:
            size = _regular_size(os.fstat(handle), location)
            if offset > size:
                raise errors.InvalidRange(offset=offset, location=location)
        except errors.StoreError:
            os.close(handle)
            raise
        wanted = size - offset if length is None else min(length, size - offset)
        return FileRange(os.fdopen(handle, "rb", buffering=0), offset, wanted)

    def size(self, location: str) -> int:
        """Return the length of the file, holes included."""
        with _found(location):
            return _regular_size(os.lstat(self._path(location)), location)

    def delete(self, location: str) -> None:
        """Remove the file."""
        path = self._path(location)
        with _found(location):
            _regular_size(os.lstat(path), location)
            os.unlink(path)
            sync_directory(os.path.dirname(path))

    def discard(self, name: str) -> None:
        """Remove the file and all temporary files of ``name`` from all directories."""
        _check_name(name)
        for directory in self._directories:
            with _translated(directory.path):
                remove_all(directory.path, name)

    def names(self) -> set[str]:
        """Return the names of all files, including unpublished ones."""
        found: set[str] = set()
        for directory in self._directories:
            with _translated(directory.path):
                found |= names_in(directory.path)
        return found

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield the published files of all directories; the age is that of the last change of the content."""
        for directory in self._directories:
            with _translated(directory.path):
                for name, state in published_in(directory.path):
                    location = f"file://{os.path.join(directory.path, name)}"
                    yield StoredObject(name, location, state.st_size, state.st_mtime)

    def properties(self) -> Mapping[str, object]:
        """Return the directory (a list if there are several), the size of a hole, and whether holes are made."""
        paths = [directory.path for directory in self._directories]
        return {
            "data_dir": paths[0] if len(paths) == 1 else paths,
            "chunk_size": len(self._zeros),
            "thin_provisioning": self._thin,
        }

    def _choose(self, size: int | None) -> Directory:
        if len(self._directories) == 1 and size is None:
            return self._directories[0]
        with _translated(", ".join(directory.path for directory in self._directories)):
            return placement.choose(self._directories, size)

    def _refuse_duplicate(self, name: str) -> None:
        """Raise Duplicate before a byte is read; publication checks again, because of concurrent writes."""
        for directory in self._directories:
            if os.path.lexists(path := os.path.join(directory.path, name)):
                raise errors.Duplicate(location=f"file://{path}")

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Within this, no other writer takes the name in any directory; raises Duplicate if one has it.

        The file system sees to that where there is one directory.
        """
        if len(self._directories) == 1:
            yield
            return
        with locked(min(each.path for each in self._directories)):
            self._refuse_duplicate(name)
            yield

    def _fill(self, draft: PartialFile, chunks: Iterable[Chunk], directory: Directory) -> int:
        """Write the chunks, leaving holes, and return the size of the file in bytes."""
        position = 0
        for chunk in gathered(chunks) if draft.is_direct else chunks:
            view = memoryview(chunk)
            runs = data_runs(view, position, self._zeros) if self._thin else [(0, len(chunk))]
            with _translated(directory.path):
                for start, end in runs:
                    draft.write_at(view[start:end], position + start)
            position += len(chunk)
        return position

    def _path(self, location: str) -> str:
        """Return the real path of a location, which must be a visible file within a directory of this store."""
        parsed = FileLocation(None, None)
        parsed.parse_uri(location)
        directory, name = os.path.split(parsed.path)
        real = os.path.realpath(directory)
        inside = os.path.isabs(directory) and any(_contains(each.path, real) for each in self._directories)
        if not inside or name.startswith(".") or not name:
            raise errors.BadStoreUri(location=location, reason="it is not a file of this store")
        return os.path.join(real, name)


class _TranslatedDraft:
    """A draft whose errors of the system are those of a store."""

    def __init__(self, draft: FileDraft, directory: str) -> None:
        self.location = draft.location
        self._draft = draft
        self._directory = directory

    def write(self, chunk: Chunk) -> None:
        with _translated(self._directory):
            self._draft.write(chunk)

    def sync(self) -> None:
        with _translated(self._directory):
            self._draft.sync()

    def close(self) -> None:
        self._draft.close()


def _contains(directory: str, real_path: str) -> bool:
    real_directory = os.path.realpath(directory)
    return os.path.commonpath([real_directory, real_path]) == real_directory


def _permissions(digits: int) -> int:
    """Return the permissions whose octal digits are ``digits``."""
    try:
        return int(str(digits), 8)
    except ValueError:
        raise errors.BadStoreConfiguration(
            option="filesystem_store_file_perm", reason=f"{digits} is not an octal number"
        ) from None


def _check_name(name: str) -> None:
    """Raise Invalid unless ``name`` is one plain, visible file name."""
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        raise errors.Invalid(reason=f"{name!r} is not a valid file name")
    if len(os.fsencode(name)) > _NAME_MAX:
        raise errors.Invalid(reason=f"the name is longer than {_NAME_MAX} bytes")


def _regular_size(state: os.stat_result, location: str) -> int:
    if not stat.S_ISREG(state.st_mode):
        raise errors.NotFound(location=location)
    return state.st_size


def _unusable(directory: Directory, reason: str | None) -> errors.BadStoreConfiguration:
    return errors.BadStoreConfiguration(option="filesystem_store_datadir", reason=f"{directory.path}: {reason}")


@contextlib.contextmanager
def _translated(directory: str) -> Iterator[None]:
    """Translate the system's errors while writing; the log names ``directory``, the error does not."""
    try:
        yield
    except FileExistsError as error:
        raise errors.Duplicate(location=f"file://{error.filename2 or error.filename}") from error
    except OSError as error:
        reason = error.strerror or "I/O error"
        LOG.error("file store: cannot write in %s: %s", directory, reason)
        if error.errno in _FULL:
            raise errors.StorageFull(reason=reason) from error
        if error.errno in _DENIED:
            raise errors.StorageWriteDenied(reason=reason) from error
        raise errors.RemoteServiceUnavailable(reason=reason) from error


@contextlib.contextmanager
def _existing(path: str) -> Iterator[None]:
    """Raise NotFound if ``path``, which a caller wants to store, has gone; that is no fault of the store."""
    try:
        yield
    except FileNotFoundError as error:
        if os.path.lexists(path):
            raise
        raise errors.NotFound(location=os.path.basename(path)) from error


@contextlib.contextmanager
def _found(location: str) -> Iterator[None]:
    """Translate the system's errors while using an existing file."""
    try:
        yield
    except FileNotFoundError as error:
        if not os.path.isdir(os.path.dirname(str(error.filename))):
            # The directory may not be mounted now, so its files may still exist.
            LOG.error("file store: the directory of %s is missing", error.filename)
            raise errors.RemoteServiceUnavailable(reason="the directory of the store is missing") from error
        raise errors.NotFound(location=location) from error
    except OSError as error:
        LOG.error("file store: cannot use a file: %s", error)
        if error.errno == errno.ELOOP:
            raise errors.BadStoreUri(location=location, reason="it is a symbolic link") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise errors.Forbidden(location=location) from error
        raise errors.RemoteServiceUnavailable(reason=error.strerror or "I/O error") from error
