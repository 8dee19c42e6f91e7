"""Disks that tests of incremental images upload, made by qemu-img, and the application that takes them."""

import subprocess
from pathlib import Path
from typing import Any

import fixtures
from webob import Response

from tests.http.client import DATA_TYPE
from tests.http.working import WorkingTest

MIB = 1024 * 1024
DISK = 8 * MIB
QCOW2 = {"disk_format": "qcow2", "container_format": "bare"}


def run(*command: object) -> str:
    """Run a program and return what it printed."""
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


class Disks:
    """Makes disks in a directory, and remembers which is the backing file of which."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def make(self, name: str, *writes: tuple[int, int, int], base: str | None = None, **options: object) -> Path:
        """Return a disk of ``size`` bytes into which (pattern, offset, length) were written."""
        path, size = self.directory / name, options.pop("size", DISK)
        kind = str(options.pop("kind", "qcow2"))
        backing = ["-b", self.directory / base, "-F", options.pop("base_kind", "qcow2")] if base else []
        chosen = ",".join(f"{key}={value}" for key, value in options.items())
        run("qemu-img", "create", "-q", "-f", kind, *backing, *(["-o", chosen] if chosen else []), path, size)
        for pattern, offset, length in writes:
            run("qemu-io", "-f", kind, "-c", f"write -q -P {pattern} {offset} {length}", path)
        return path

    def guest(self, path: Path, kind: str = "qcow2") -> bytes:
        """Return what a guest would read of a disk, with its backing files."""
        raw = self.directory / f"{path.name}.guest"
        run("qemu-img", "convert", "-f", kind, "-O", "raw", path, raw)
        return raw.read_bytes()

    def guest_of(self, data: bytes) -> bytes:
        """Return what a guest would read of a stand-alone qcow2, which is checked."""
        path = self.directory / "downloaded"
        path.write_bytes(data)
        run("qemu-img", "check", "-q", "-f", "qcow2", path)
        return self.guest(path)


class IncrementalTest(WorkingTest):
    """An application, and disks: ``base`` has two pieces of data, ``top`` is an overlay that changes one of them."""

    def setUp(self) -> None:
        super().setUp()
        self.disks = Disks(Path(self.useFixture(fixtures.TempDir()).path))
        self.base_file = self.disks.make("base", (0x11, 0, MIB), (0x22, 3 * MIB, MIB))
        self.top_file = self.disks.make("top", (0x33, 3 * MIB + 65536, 65536), base="base")

    def upload(
        self, path: Path, base: str | None = None, status: int = 204, caller: str = "member", **values: Any
    ) -> str:
        """Upload a file to a new image that names ``base``, and return the id of the image."""
        named = {} if base is None else {"os_base_image": base}
        answer = self.send("POST", "/v2/images", QCOW2 | named | values, caller=caller)
        self.assertEqual(201, answer.status_int, answer.text)
        image_id = str(answer.json["id"])
        answer = self.put(image_id, path.read_bytes(), caller)
        self.assertEqual(status, answer.status_int, answer.text)
        return image_id

    def put(self, image_id: str, data: bytes, caller: str = "member") -> Response:
        """Return the answer to an upload."""
        return self.send("PUT", f"/v2/images/{image_id}/file", data, caller=caller, Content_Type=DATA_TYPE)

    def file(self, image_id: str, query: str = "", caller: str = "member", **headers: object) -> Response:
        """Return the answer to a download."""
        return self.send("GET", f"/v2/images/{image_id}/file{query}", caller=caller, **headers)

    def act(self, image_id: str, action: str, body: Any = None, caller: str = "member") -> Response:
        """Return the answer to an action of an image."""
        return self.send("POST", f"/v2/images/{image_id}/actions/{action}", body, caller=caller)

    def chain(self) -> tuple[str, str]:
        """Upload ``base`` and ``top``, and return the ids of both images."""
        base = self.upload(self.base_file)
        return base, self.upload(self.top_file, base)

    def patch(self, image_id: str, name: str, value: str, caller: str = "member", query: str = "") -> Response:
        """Return the answer to the change of one property."""
        return self.send(
            "PATCH",
            f"/v2/images/{image_id}{query}",
            [{"op": "replace", "path": f"/{name}", "value": value}],
            caller=caller,
            Content_Type="application/openstack-images-v2.1-json-patch",
        )

    def reread(self, text: str, *parts: str) -> None:
        """Fail unless ``text`` has each of ``parts``."""
        for part in parts:
            self.assertIn(part, text)
