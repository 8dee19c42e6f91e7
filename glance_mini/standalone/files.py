"""Writes small files in one step, readable by their owner only, and the times in them."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to ``path``; readers see the old or the new file, also after a crash of the machine.

    An existing file keeps its owner, and its mode as far as that excludes others; a new one has mode 0600. Raises
    OSError, and then the old file stays.
    """
    # mkstemp makes files with mode 0600.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            before = path.stat()
            os.chown(temporary, before.st_uid, before.st_gid)
            os.chmod(temporary, before.st_mode & 0o660)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Exclude other writers of the files in ``directory``, also those of other nodes that share it.

    The directory is locked and not a file, because a file is replaced. Raises OSError.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def text_of_moment(moment: datetime | None) -> str | None:
    """Return ``moment`` (UTC without a zone) as ISO 8601 in whole seconds; None for None."""
    return None if moment is None else f"{moment.isoformat(timespec='seconds')}Z"


def moment_from(text: str | None) -> datetime | None:
    """Return the moment of ISO 8601 as UTC without a zone; UTC if it names no zone. Raises ValueError."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
