"""A pool of Ceph against ``rbd import`` and ``rbd export``."""

import os
import subprocess
import uuid

from benchmarks.backends import Backend
from glance_mini_store.drivers.rbd import RbdDriver


class RbdBackend(Backend):
    """The cluster and the pool that the variables ``TEST_RBD_...`` tell; a place is the beginning of names in it."""

    driver_class = RbdDriver

    def __init__(self) -> None:
        self._conf = os.environ["TEST_RBD_CONF"]
        self._pool = os.environ["TEST_RBD_POOL"]
        self._user = os.environ["TEST_RBD_USER"]

    def prepare(self) -> str:
        return f"benchmark-{uuid.uuid4().hex}"

    def remove(self, place: str) -> None:
        listed = subprocess.run(self._rbd("ls", self._pool), check=True, stdout=subprocess.PIPE, text=True).stdout
        for name in listed.split():
            if name.startswith(place):
                subprocess.run(self._rbd("rm", "--no-progress", f"{self._pool}/{name}"), check=True)

    def options(self, place: str) -> dict[str, object]:
        return {"rbd_store_ceph_conf": self._conf, "rbd_store_user": self._user, "rbd_store_pool": self._pool}

    def upload(self, place: str, path: str, name: str) -> None:
        subprocess.run(self._rbd("import", "--no-progress", path, f"{self._pool}/{place}-{name}"), check=True)

    def download(self, place: str, name: str, path: str) -> None:
        subprocess.run(self._rbd("export", "--no-progress", f"{self._pool}/{place}-{name}", path), check=True)

    def _rbd(self, *words: str) -> list[str]:
        return ["rbd", "--conf", self._conf, "--id", self._user, *words]
