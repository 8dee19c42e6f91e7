"""Images as qemu-img and genisoimage make them, in all their sub-formats: what an inspection says about each."""

import shutil
import subprocess
import unittest
from pathlib import Path

import fixtures
import testtools

from glance_mini.content.inspection import Inspection, InspectionRules
from glance_mini.domain.errors import UnsafeContent
from glance_mini.testing.samples import make_image

MIB = 1024 * 1024
SIZE = 3 * MIB

GOOD = {
    "qcow2": (
        *("", "compat=0.10", "lazy_refcounts=on", "extended_l2=on,cluster_size=128k", "compression_type=zstd"),
        *("refcount_bits=1", "cluster_size=512", "preallocation=metadata", "preallocation=full"),
    ),
    "vmdk": (
        *("", "subformat=monolithicSparse", "subformat=streamOptimized", "adapter_type=lsilogic"),
        *("compat6=on", "hwversion=10", "zeroed_grain=on"),
    ),
    "vpc": ("subformat=dynamic,force_size=on", "subformat=fixed,force_size=on"),
    "vhdx": ("", "subformat=fixed", "block_size=2M", "log_size=4M", "block_state_zero=off"),
    "vdi": ("", "static=on"),
    "raw": ("", "preallocation=full"),
}
"""The options of each format of qemu-img; they describe a disk of SIZE bytes."""

SEVERAL_FILES = ("monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat")
"""Sub-formats of vmdk that name other files."""

NAMES = {"vpc": "vhd"}

DISCS = (
    *((), ("-J",), ("-R",), ("-J", "-R", "-udf", "-V", "größe"), ("-hfs",), ("-iso-level", "4")),
    *(("-b", "boot.img"), ("-b", "boot.img", "-no-emul-boot", "-boot-info-table")),
)


@unittest.skipUnless(
    shutil.which("qemu-img") and shutil.which("genisoimage"),
    "qemu-img or genisoimage is not installed (packages qemu-utils, genisoimage)",
)
class TestMadeImages(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.home = Path(self.useFixture(fixtures.TempDir()).path)
        self.disk = self.home / "disk"
        self.disk.write_bytes(bytes(446) + b"\x80\2\2\2\x83\1\1\1\1\0\0\0\0\x10\0\0" + bytes(48) + b"\x55\xaa")
        with open(self.disk, "r+b") as file:
            file.seek(MIB)
            file.write(bytes(range(256)) * 2048)
            file.truncate(SIZE)

    def virtual_size(self, path: Path, declared: str) -> int | None:
        inspection = Inspection(make_image(status="queued", disk_format=declared), InspectionRules())
        with open(path, "rb") as file:
            while block := file.read(64 * 1024):
                inspection.update(block)
        inspection.finish()
        return inspection.virtual_size

    def make(self, format_: str, options: str) -> Path:
        """Return the disk in another format."""
        directory = self.home / f"{format_}-{options}"
        directory.mkdir()
        path = directory / "image"
        more = ("-o", options) if options else ()
        self.run_program("qemu-img", "convert", "-f", "raw", "-O", format_, *more, str(self.disk), str(path))
        return path

    def run_program(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, f"{command}: {done.stderr}")

    def test_each_sub_format_of_one_file_is_accepted_with_its_virtual_size(self) -> None:
        for format_, choices in GOOD.items():
            for options in choices:
                path = self.make(format_, options)
                self.assertEqual(SIZE, self.virtual_size(path, NAMES.get(format_, format_)), f"{format_} {options}")

    def test_a_vmdk_of_several_files_is_refused_as_vmdk_and_as_raw(self) -> None:
        for kind in SEVERAL_FILES:
            path = self.make("vmdk", f"subformat={kind}")
            for declared in ("vmdk", "raw"):
                error = self.assertRaises(UnsafeContent, self.virtual_size, path, declared)
                self.assertIn("descriptor", str(error), kind)

    def test_each_kind_of_disc_is_an_iso(self) -> None:
        tree = self.home / "tree"
        tree.mkdir()
        (tree / "file").write_bytes(bytes(100_000))
        (tree / "boot.img").write_bytes(bytes(1_474_560))
        for number, options in enumerate(DISCS):
            disc = self.home / f"{number}.iso"
            self.run_program("genisoimage", "-quiet", "-o", str(disc), *options, str(tree))
            self.assertEqual(disc.stat().st_size, self.virtual_size(disc, "iso"), str(options))

    def test_a_disk_may_be_an_ami_and_a_parallels_image_a_ploop(self) -> None:
        self.assertIsNone(self.virtual_size(self.disk, "ami"))
        self.assertIsNone(self.virtual_size(self.make("parallels", ""), "ploop"))

    def test_formats_that_are_given_up_are_refused(self) -> None:
        for format_, reason in (("qed", "banned"), ("qcow", "looks like qcow2")):
            error = self.assertRaises(UnsafeContent, self.virtual_size, self.make(format_, ""), format_)
            self.assertIn(reason, str(error))

    def test_a_luks_container_tells_the_size_of_its_payload(self) -> None:
        path = self.home / "luks"
        secret = self.home / "secret"
        secret.write_text("secret")
        secrets = ("--object", f"secret,id=key,file={secret}")
        # qemu-img measures how long its hash takes; SHA-256 may take less than a tick of its clock, and then it fails.
        options = ("-o", "key-secret=key,iter-time=10,hash-alg=sha512")
        self.run_program("qemu-img", "create", "-q", *secrets, "-f", "luks", *options, str(path), str(SIZE))
        self.assertEqual(SIZE, self.virtual_size(path, "luks"))
