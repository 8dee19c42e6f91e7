"""What the import plugin image_conversion makes, with the real qemu-img."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path

import fixtures

from glance_mini import conf
from glance_mini.content.inspection import InspectionRules
from glance_mini.domain.errors import ConfigurationError, LimitExceeded, UnsafeContent
from glance_mini.imports.plugins.conversion import ConversionFailed, ConversionLimits, ImageConversion
from tests.unit.content import disk_images as disks
from tests.unit.jobs.staged import MIB, StagedCase, Stopped, go_on, stop

DATA = bytes(range(256)) * 4096 + bytes(3 * MIB) + b"the last sector".ljust(512, b"\0")


@unittest.skipUnless(shutil.which("qemu-img"), "qemu-img is not installed (package qemu-utils)")
class TestConversion(StagedCase):
    def plugin(self, output="raw", limits=None, program="qemu-img"):
        return ImageConversion(output, InspectionRules(), limits or ConversionLimits(), program)

    def qemu_img(self, *arguments):
        subprocess.run(["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    def made(self, data, qemu_format, *options):
        """Return ``data`` as a disk image that qemu-img has made."""
        raw, path = self.home / "raw", self.home / "made"
        raw.write_bytes(data)
        self.qemu_img("convert", "-f", "raw", "-O", qemu_format, *options, raw, path)
        return path.read_bytes()

    def apply(self, data, disk_format, output="raw", check=go_on, limits=None, program="qemu-img", **values):
        staged = self.stage(data, disk_format=disk_format, **values)
        return self.plugin(output, limits, program).apply(staged, (), check)

    def refusal(self, error, *arguments, **values):
        """Return the text of a refusal; nothing is left behind."""
        text = str(self.assertRaises(error, self.apply, *arguments, **values))
        self.assertEqual([], self.left())
        self.assertNotIn(str(self.home), text)
        return text

    def test_each_format_becomes_raw(self):
        for disk_format, qemu_format, *options in (
            ("qcow2", "qcow2"),
            ("qcow2", "qcow2", "-c"),
            ("vmdk", "vmdk", "-o", "subformat=streamOptimized"),
            ("vmdk", "vmdk"),
            ("vhd", "vpc", "-o", "force_size=on"),
            ("vhdx", "vhdx"),
            ("vdi", "vdi"),
        ):
            data = self.made(DATA, qemu_format, *options)
            result = self.apply(data, disk_format)
            converted = result.path.read_bytes()
            self.assertEqual(DATA, converted[: len(DATA)], disk_format)
            self.assertEqual(b"", converted[len(DATA) :].strip(b"\0"))
            size = len(converted)
            expected = {"disk_format": "raw", "container_format": "bare", "size": size, "virtual_size": size}
            self.assertEqual(expected, result.attributes)
            self.assertEqual(data, (self.home / "staged").read_bytes())

    def test_raw_becomes_what_is_configured(self):
        for output in ("qcow2", "vmdk"):
            result = self.apply(DATA, "raw", output)
            self.assertEqual(len(DATA), result.attributes["virtual_size"])
            self.assertEqual(result.path.stat().st_size, result.attributes["size"])
            back = self.apply(result.path.read_bytes(), output)
            self.assertEqual(DATA, back.path.read_bytes())

    def test_images_that_are_right_or_no_disks_stay_as_they_are(self):
        for data, disk_format, output, container in (
            (DATA, "raw", "raw", "bare"),
            (disks.iso(), "iso", "raw", "bare"),
            (DATA, "aki", "qcow2", "aki"),
            (DATA, "vmdk", "raw", "ova"),
            (DATA, "raw", "qcow2", "compressed"),
        ):
            result = self.apply(data, disk_format, output, container_format=container)
            self.assertEqual((self.home / "staged", {}), (result.path, result.attributes))

    def test_unsafe_images_are_refused_before_qemu_img_sees_them(self):
        secret = self.home / "secret"
        secret.write_bytes(b"secret")
        outside = f'RW 2048 FLAT "{secret}" 0'
        for data, disk_format in (
            (disks.qcow2(backing_file=str(secret)), "qcow2"),
            (disks.qcow2(features=4), "qcow2"),
            (disks.vmdk(extents='RW 2048 SPARSE "/etc/passwd"'), "vmdk"),
            (disks.vmdk("monolithicFlat", outside), "vmdk"),
            (disks.flat_vmdk(outside), "vmdk"),
            (disks.flat_vmdk(outside), "raw"),
            (disks.qcow2(backing_file=str(secret)), "raw"),
            (DATA, "qcow2"),
            (disks.qcow2(), "vmdk"),
        ):
            output = "raw" if disk_format != "raw" else "qcow2"
            self.refusal(UnsafeContent, data, disk_format, output, program="/nonexistent/qemu-img")

    def test_a_raw_image_that_looks_like_another_format_is_never_opened_as_that(self):
        inner = self.made(DATA, "qcow2")
        result = self.apply(inner, "raw", "qcow2")
        self.assertEqual(len(inner), result.attributes["virtual_size"])
        self.assertEqual(inner, self.apply(result.path.read_bytes(), "qcow2").path.read_bytes()[: len(inner)])

    def test_an_image_that_is_larger_inside_than_allowed_is_refused(self):
        text = self.refusal(LimitExceeded, disks.qcow2(2**62), "qcow2")
        self.assertIn(str(2**62), text)
        self.refusal(LimitExceeded, self.made(DATA, "qcow2"), "qcow2", limit=len(DATA) - 1)
        self.apply(self.made(DATA, "qcow2"), "qcow2", limit=len(DATA))

    def test_qemu_img_writes_no_more_than_the_limit(self):
        noise = os.urandom(4 * MIB)
        self.refusal(LimitExceeded, noise, "raw", "qcow2", limit=MIB)

    def test_damaged_images_tell_what_qemu_img_says(self):
        data = bytearray(self.made(DATA, "qcow2"))
        data[36:40] = (2**31 - 1).to_bytes(4, "big")  # entries of its first table
        text = self.refusal(ConversionFailed, bytes(data), "qcow2")
        self.assertIn("from qcow2 to raw: qemu-img: Could not open 'the image'", text)

    def test_a_conversion_that_is_stopped_leaves_nothing(self):
        self.refusal(Stopped, self.made(DATA, "qcow2"), "qcow2", check=stop)


class TestProgram(StagedCase):
    """The process around qemu-img, shown with programs that are worse."""

    def program(self, *lines):
        """Return a program in Python that is called like qemu-img."""
        path = self.home / "qemu-img"
        path.write_text(textwrap.dedent(f"#!{sys.executable}\nimport os, sys, time\n") + "\n".join(lines) + "\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def failure(self, program, check=go_on, error=ConversionFailed, **limits):
        plugin = ImageConversion("raw", InspectionRules(), ConversionLimits(**limits), program)
        text = str(self.assertRaises(error, plugin.apply, self.stage(disks.qcow2(), disk_format="qcow2"), (), check))
        self.assertEqual([], self.left())
        return text

    def test_formats_are_always_said(self):
        program = self.program("print(*sys.argv[1:6], file=sys.stderr)", "sys.exit(1)")
        self.assertIn("convert -f qcow2 -O raw", self.failure(program))

    def test_one_that_takes_too_long_is_ended(self):
        program = self.program("open(sys.argv[-1], 'w').write('half')", "time.sleep(600)")
        self.assertIn("longer than 0.3 seconds", self.failure(program, seconds=0.3))

    def test_one_that_uses_the_processor_too_long_is_ended(self):
        self.assertIn("1 seconds of processor time", self.failure(self.program("while True: pass"), cpu_seconds=1))

    def test_one_that_wants_too_much_memory_does_not_get_it(self):
        program = self.program("try: bytearray(2**31)", "except MemoryError: sys.exit('no memory')")
        self.assertIn("no memory", self.failure(program, memory=512 * MIB))

    def test_crash_is_reported_with_its_signal(self):
        program = self.program(f"os.kill(os.getpid(), {int(signal.SIGSEGV)})")
        self.assertIn(f"signal {int(signal.SIGSEGV)}", self.failure(program))

    def test_a_stop_ends_the_process(self):
        note = self.home / "pid"
        program = self.program(
            f"open({str(note)!r} + '.new', 'w').write(str(os.getpid()))",
            f"os.rename({str(note)!r} + '.new', {str(note)!r})",
            "time.sleep(600)",
        )

        def check():
            if note.exists():
                raise Stopped

        self.failure(program, check, Stopped)
        self.assertFalse(Path("/proc", note.read_text()).exists())

    def test_the_start_is_refused_without_the_programs(self):
        self.useFixture(fixtures.EnvironmentVariable("PATH", "/nonexistent"))
        error = self.assertRaises(ConfigurationError, ImageConversion.from_config, conf.load())
        self.assertIn("setpriv", str(error))
