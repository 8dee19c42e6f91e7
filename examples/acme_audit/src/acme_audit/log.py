"""A file of JSON lines that several threads and processes append to at once."""

import json
import os
from collections.abc import Mapping


class AuditLog:
    """The open file at ``path``, readable by its owner only."""

    def __init__(self, path: str) -> None:
        """Open the file, or make it; raises OSError."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, entry: Mapping[str, object]) -> None:
        """Append one line; raises OSError. A line is one write, so lines never mix."""
        os.write(self._file, (json.dumps(entry) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
