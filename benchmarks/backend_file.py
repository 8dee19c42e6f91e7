"""A directory against ``cp``, which brings nothing to disk; ``BENCHMARK_DIRECTORY`` may name its parent."""

import os
import shutil
import subprocess
import tempfile

from benchmarks.backends import Backend
from glance_mini_store.drivers.file import FileDriver


class FileBackend(Backend):
    """A new directory."""

    driver_class = FileDriver

    def prepare(self) -> str:
        return tempfile.mkdtemp(dir=os.environ.get("BENCHMARK_DIRECTORY"))

    def remove(self, place: str) -> None:
        shutil.rmtree(place)

    def options(self, place: str) -> dict[str, object]:
        return {"filesystem_store_datadir": place}

    def upload(self, place: str, path: str, name: str) -> None:
        subprocess.run(["cp", path, f"{place}/{name}"], check=True)

    def settle(self, place: str) -> None:
        """Drop the files from the page cache: a store writes large ones past it, and others leave them in it."""
        for entry in os.scandir(place):
            if entry.is_file():
                descriptor = os.open(entry.path, os.O_RDONLY)
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)

    def download(self, place: str, name: str, path: str) -> None:
        subprocess.run(["cp", f"{place}/{name}", path], check=True)
