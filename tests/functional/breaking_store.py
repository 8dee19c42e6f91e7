"""A store driver of somebody else, which fails on order."""

from pathlib import Path

from glance_mini_store import errors
from glance_mini_store.drivers.file import FileDriver

AFTER = 100_000
"""Bytes that arrive before it fails."""


class BreakingDriver(FileDriver):
    """Keeps files; while there is a file called like its directory with ``.broken`` behind, it fails in each write."""

    type = "breaking"

    def write(self, name, chunks, size=None):
        return super().write(name, self._breaking(chunks), size)

    def write_uncached(self, name, chunks, size=None):
        return super().write_uncached(name, self._breaking(chunks), size)

    def link_in(self, name, path):
        if self._is_broken():
            raise errors.RemoteServiceUnavailable(reason="the backend has a bad day")
        return super().link_in(name, path)

    def _breaking(self, chunks):
        count = 0
        for chunk in chunks:
            count += len(chunk)
            if count > AFTER and self._is_broken():
                raise errors.RemoteServiceUnavailable(reason="the backend has a bad day")
            yield chunk

    def _is_broken(self):
        return Path(f"{self._directories[0].path}.broken").exists()
