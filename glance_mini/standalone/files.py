"""Writes small files in one step, readable by their owner only."""

import os
import tempfile
from contextlib import suppress
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
