"""Puts small files in their place in one step, readable to their owner only."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to ``path``; readers see the file before or after, also when the machine fails.

    A file that exists keeps its owner, and its mode as far as that shuts others out; a new one has mode 0600. Raises
    OSError, and then leaves what was there.
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
