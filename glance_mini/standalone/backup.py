"""Backups of a state directory: one tar file with the database, the configuration, and the image data if wanted.

A backup is consistent while the service runs: the database is copied in one transaction, and a hard link keeps each
data file that the copy names, or a copy where it is on another file system. Holes stay holes.
"""

import contextlib
import errno
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from glance_mini.conf import FILE_NAME
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.sparse import add_file, copy_file

_SCHEME = "file://"
_LOCATIONS = "SELECT value FROM image_locations UNION SELECT value FROM staged_data"
_NOT_SAVED = ("lock", "access.log", "access.log.1")


def write_backup(state: Path, database: Path, target: Path, *, with_images: bool) -> list[Path]:
    """Write the state directory ``state`` with its SQLite ``database`` to the tar file ``target``, in one step.

    Returns the data files that the database names and that do not exist, or are outside of the directory; empty without
    images. Raises ConfigurationError for a database outside of the directory, and OSError.
    """
    if not database.is_relative_to(state):
        raise ConfigurationError(reason=f"The database {database} is outside of {state}.")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=state) as name, _replacing(target) as tar:
        temporary = Path(name)
        left_out = _copy(state, database, temporary, with_images=with_images)
        for path in sorted(state.iterdir()):
            if path.is_file() and not path.name.startswith((".", database.name)) and path.name not in _NOT_SAVED:
                add_file(tar, path, path.name)
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                add_file(tar, path, str(path.relative_to(temporary)))
    return left_out


def restore_backup(backup: Path, state: Path) -> None:
    """Make the state directory ``state`` from ``backup``, in one step; it must be empty or not exist.

    Raises ConfigurationError for a directory in use and for a file that is no backup, and OSError.
    """
    if state.exists() and (not state.is_dir() or any(state.iterdir())):
        raise ConfigurationError(reason=f"{state} is in use: it is not empty. Name another directory, or move it away.")
    state.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{state.name}-", dir=state.parent))
    try:
        try:
            with tarfile.open(backup) as tar:
                tar.extractall(temporary, filter="data")
        except tarfile.TarError as error:
            raise ConfigurationError(reason=f"{backup} is not a backup: {error}") from error
        if not (temporary / FILE_NAME).exists():
            raise ConfigurationError(reason=f"{backup} is not a backup: it holds no {FILE_NAME}.")
        os.sync()
        temporary.rename(state)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[tarfile.TarFile]:
    """Yield a tar file, readable by its owner only, that becomes ``target`` when it is complete."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.absolute().parent)
    try:
        with open(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield tar
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _copy(state: Path, database: Path, temporary: Path, *, with_images: bool) -> list[Path]:
    """Copy the database and link the data into ``temporary``; return the data files that could not be linked.

    A file may be deleted between the copy and its link: then the database is copied again, because the new copy does
    not name the file. What is missing twice has been missing before.
    """
    copied = temporary / database.relative_to(state)
    copied.parent.mkdir(parents=True, exist_ok=True)
    missing: list[Path] | None = None
    while True:
        _copy_database(database, copied)
        before, missing = missing, _link_data(state, copied, temporary) if with_images else []
        if not missing or missing == before:
            return missing


def _copy_database(database: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    reading = contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True))
    with reading as source, contextlib.closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        # One file without a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")


def _link_data(state: Path, database: Path, temporary: Path) -> list[Path]:
    missing = []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        urls = [url for (url,) in connection.execute(_LOCATIONS) if url.startswith(_SCHEME)]
    for path in sorted(Path(unquote(url.removeprefix(_SCHEME))) for url in urls):
        if not path.is_relative_to(state):
            missing.append(path)
            continue
        link = temporary / path.relative_to(state)
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            _keep(path, link)
        except FileExistsError:
            continue
        except FileNotFoundError:
            missing.append(path)
    return missing


def _keep(path: Path, link: Path) -> None:
    """Link a data file, or copy it if it is on another file system; raises FileNotFoundError, FileExistsError."""
    try:
        os.link(path, link)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_file(path, link)
