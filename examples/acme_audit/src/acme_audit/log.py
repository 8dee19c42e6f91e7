"""A file of JSON lines that several threads and processes append to at once."""

import json
import os
from collections.abc import Mapping


class AuditLog:
    """The open file at ``path``, readable by its owner only."""

    def __init__(self, path: str) -> None:
        """Open the file, or create it; raises OSError."""
        self._file = open(path, "ab", buffering=0, opener=_open_for_owner)  # noqa: SIM115 (closed by close)

    def write(self, entry: Mapping[str, object]) -> None:
        """Append one line; raises OSError. A line is one write, so lines never mix."""
        self._file.write((json.dumps(entry) + "\n").encode())

    def close(self) -> None:
        """Close the file; may be repeated."""
        self._file.close()


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
