"""``glance-mini push`` and ``pull`` as a user types them, against a real service."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import fixtures
import testtools

from glance_mini.cmd.transfers.uploading import Source
from tests import programs
from tests.functional.service import Service

MIB = 1024 * 1024


@unittest.skipUnless(shutil.which("qemu-img"), "qemu-img is not installed (package qemu-utils)")
class TransfersTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.home = Path(self.useFixture(fixtures.TempDir()).path)
        self.service = self.useFixture(Service(self.home / "state"))
        self.disks = self.home / "disks"
        self.disks.mkdir()
        self.base = bytearray(os.urandom(16 * MIB) + bytes(16 * MIB))
        (self.disks / "base.raw").write_bytes(self.base)

    def call(self, *words, code=0):
        """Run ``glance-mini`` in the folder of the disks; return standard output and standard error."""
        own = {"HOME": str(self.home), "OS_CLIENT_CONFIG_FILE": str(self.service.state / "clouds.yaml")}
        foreign = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "XDG_"))}
        cloud = ["--os-cloud", "glance-mini"]
        done = programs.run("glance_mini.cmd.main", *words, *cloud, cwd=self.disks, env=foreign | own)
        self.assertEqual(code, done.returncode, done.stderr)
        return done.stdout.strip(), done.stderr

    def push(self, *words):
        """Return the id of what was pushed, and the text about it."""
        return self.call("push", *words)

    def qemu_img(self, *words):
        done = subprocess.run(["qemu-img", *words], cwd=self.disks, capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def changed(self):
        """Write a disk that differs from the base in three places; return its bytes."""
        disk = bytearray(self.base)
        for place in (5, 3 * MIB + 1, 20 * MIB):
            disk[place : place + 7] = b"changed"
        (self.disks / "disk.raw").write_bytes(disk)
        return disk

    def stored(self):
        return sum(path.stat().st_size for path in self.service.stored_files())

    def test_a_disk_goes_there_and_back_as_what_differs(self):
        disk = self.changed()
        base, text = self.push("base.raw", "--name", "base")
        self.assertIn("read 32.0 MiB, sent 32.0 MiB, saved 0 bytes", text)
        before = self.stored()
        image, text = self.push("disk.raw", "--base", "base")
        self.assertIn("read 32.0 MiB, sent 512.0 KiB, saved 31.5 MiB", text)
        self.assertEqual(512 * 1024, self.stored() - before)
        shown = self.service.request("GET", f"/v2/images/{image}").json()
        self.assertEqual((base, "disk", "active"), (shown["os_base_image"], shown["name"], shown["status"]))
        data = self.service.request("GET", f"/v2/images/{image}/file?format=raw").content
        self.assertTrue(data == disk)

        _, text = self.call("pull", image, "above", "--base", "base.raw")
        self.assertIn("received 192.0 KiB", text)
        self.qemu_img("check", "above")
        self.assertEqual(
            "Images are identical.\n", self.qemu_img("compare", "-f", "qcow2", "-F", "raw", "above", "disk.raw")
        )

        self.call("pull", "disk", "whole")
        self.qemu_img("check", "whole")
        self.qemu_img("compare", "-f", "qcow2", "-F", "raw", "whole", "disk.raw")
        self.assertEqual([], list(self.disks.glob("*.part")))

    def test_an_overlay_is_sent_as_it_is(self):
        self.push("base.raw")
        self.qemu_img("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "over")
        _, text = self.call("push", "over", code=1)
        self.assertIn("glance-mini: The file names a backing file; give its image by --base.\n", text)
        _, text = self.push("over", "--base", "base")
        self.assertRegex(text, "sent 19[0-9].[0-9] KiB, saved 0 bytes")

    def test_a_push_goes_on_where_it_was(self):
        values = {"disk_format": "raw", "container_format": "bare"}
        image = self.service.request("POST", "/v2/images", json=values).json()["id"]
        path = self.disks / "base.raw"
        marks = ("base.raw", len(self.base), path.stat().st_mtime_ns, None)
        metadata = Source(len(self.base), iter, marks, print).metadata
        tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(self.base)), "Upload-Metadata": metadata}
        upload = self.service.request("POST", f"/v2/images/{image}/upload", headers=tus).headers["Location"]
        piece = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        half = bytes(self.base[: 20 * MIB])
        self.assertEqual(204, self.service.request("PATCH", upload, headers=piece, data=half).status_code)
        pushed, text = self.push("base.raw", "--image", image)
        self.assertIn("sent 12.0 MiB, saved 20.0 MiB", text)
        self.assertTrue(self.service.request("GET", f"/v2/images/{pushed}/file").content == self.base)

    def test_a_pull_goes_on_where_it_was(self):
        image, _ = self.push("base.raw")
        part = self.disks / f"copy.{image}.part"
        part.write_bytes(self.base[: 20 * MIB])
        _, text = self.call("pull", image, "copy")
        self.assertIn("received 12.0 MiB, saved 20.0 MiB", text)
        self.assertTrue((self.disks / "copy").read_bytes() == self.base)
        self.changed()
        changed, _ = self.push("disk.raw", "--base", image)
        self.call("pull", changed, "above", "--base", "base.raw")
        whole = (self.disks / "above").read_bytes()
        (self.disks / f"again.{changed}.part").write_bytes(whole[: len(whole) - 70_000])
        _, text = self.call("pull", changed, "again", "--base", "base.raw")
        self.assertIn("received 68.4 KiB", text)
        self.assertTrue((self.disks / "again").read_bytes() == whole)

    def test_a_part_of_something_else_is_found_and_removed(self):
        image, _ = self.push("base.raw")
        part = self.disks / f"copy.{image}.part"
        part.write_bytes(b"x" * MIB)
        _, text = self.call("pull", image, "copy", code=1)
        self.assertIn("What arrived is not what the image has; it was removed. Pull again.", text)
        self.changed()
        changed, _ = self.push("disk.raw", "--base", image)
        part = self.disks / f"copy.{changed}.part"
        for wrong in (b"x" * 100_000, self.base[: 500 * 1024]):
            part.write_bytes(wrong)
            _, text = self.call("pull", changed, "copy", "--base", "base.raw", code=1)
            self.assertIn("What arrived is not what the image has; it was removed. Pull again.", text)
        self.assertEqual(([], False), (list(self.disks.glob("*.part")), (self.disks / "copy").exists()))

    def test_what_cannot_be_done_is_one_line(self):
        cases = {
            ("push", "none.raw"): "none.raw: No such file or directory",
            ("push", "base.raw", "--base", "nothing"): "No image found with ID nothing",
            ("pull", "nothing", "copy"): "No image found with ID nothing",
            ("pull", "nothing", "base.raw"): "base.raw exists already.",
        }
        for words, expected in cases.items():
            _, text = self.call(*words, code=1)
            self.assertEqual(f"glance-mini: {expected}\n", text)
        _, text = self.call("push", "base.raw", "--os-image-endpoint-override", "http://127.0.0.1:1", code=1)
        self.assertTrue(re.match("glance-mini: The image service does not answer: [^\n]*\n$", text), text)
