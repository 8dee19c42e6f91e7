"""Swift against the program ``swift`` of python-swiftclient, both without segments, by a user of Keystone."""

import os
import subprocess
import sys
import uuid

from benchmarks.backends import Backend
from glance_mini_store.drivers.swift import SwiftDriver

_USER, _PROJECT = "admin", "admin"


class SwiftBackend(Backend):
    """The service in the catalog of the Keystone that the variables ``TEST_KEYSTONE_...`` tell."""

    driver_class = SwiftDriver

    def __init__(self) -> None:
        self._address = os.environ["TEST_KEYSTONE_URL"]
        self._password = os.environ["TEST_KEYSTONE_PASSWORD"]

    def prepare(self) -> str:
        place = f"benchmark-{uuid.uuid4().hex}"
        self._swift("post", place)
        return place

    def remove(self, place: str) -> None:
        self._swift("delete", place)

    def options(self, place: str) -> dict[str, object]:
        return {
            "swift_store_auth_address": self._address,
            "swift_store_auth_version": "3",
            "swift_store_user": f"{_PROJECT}:{_USER}",
            "swift_store_key": self._password,
            "swift_store_container": place,
        }

    def upload(self, place: str, path: str, name: str) -> None:
        self._swift("upload", "--object-name", name, place, path)

    def download(self, place: str, name: str, path: str) -> None:
        self._swift("download", "--output", path, place, name)

    def _swift(self, *words: str) -> None:
        program = os.path.join(os.path.dirname(sys.executable), "swift")
        access = ["--os-auth-url", self._address, "--auth-version", "3", "--os-password", self._password]
        access += ["--os-username", _USER, "--os-project-name", _PROJECT]
        access += ["--os-user-domain-id", "default", "--os-project-domain-id", "default"]
        subprocess.run([program, *access, *words], check=True, stdout=subprocess.DEVNULL)
