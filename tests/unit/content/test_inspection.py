"""What uploaded data is taken for, and what is refused."""

import bz2
import gzip
import lzma
import tracemalloc

import fixtures
import testtools

from glance_mini.content.inspection import Inspection, InspectionRules
from glance_mini.domain.errors import UnsafeContent
from glance_mini.testing.samples import make_image
from tests.unit.content import disk_images as disks
from tests.unit.content.disk_images import KIB, MIB

DEFAULT = InspectionRules()
LENIENT = InspectionRules(require_match=False)

NOISE = bytes(range(256)) * 8
HYBRID = disks.master_boot_record()
OUTSIDE = 'RW 2048 SPARSE "/etc/passwd"'


def virtual_size(data: bytes, declared: str, rules: InspectionRules = DEFAULT, step: int = MIB) -> int | None:
    """Return the virtual size that an inspection of ``data``, in blocks of ``step`` bytes, finds."""
    inspection = Inspection(make_image(status="queued", disk_format=declared), rules)
    for start in range(0, len(data), step):
        inspection.update(data[start : start + step])
    inspection.finish()
    return inspection.virtual_size


class TestVerdicts(testtools.TestCase):
    def refusal(self, data: bytes, declared: str, rules: InspectionRules = DEFAULT, step: int = MIB) -> str:
        return str(self.assertRaises(UnsafeContent, virtual_size, data, declared, rules, step))

    def test_data_of_the_declared_format_tells_its_virtual_size(self) -> None:
        table = [
            ("raw", NOISE, len(NOISE)),
            ("raw", b"", 0),
            ("qcow2", disks.qcow2(5 * MIB), 5 * MIB),
            ("qcow2", disks.qcow2(5 * MIB, version=2), 5 * MIB),
            ("vmdk", disks.vmdk(sectors=4096), 2 * MIB),
            ("vmdk", disks.stream_optimized(), MIB),
            ("vhd", disks.vhd(7 * MIB), 7 * MIB),
            ("vhd", disks.fixed_vhd(bytes(MIB)), MIB),
            ("vhd", disks.fixed_vhd(disks.master_boot_record(0x83, 0x80) + bytes(2 * MIB)), 2 * MIB + 512),
            ("vhdx", disks.vhdx(9 * MIB), 9 * MIB),
            ("vdi", disks.vdi(3 * MIB), 3 * MIB),
            ("iso", disks.iso(30), 30 * 2 * KIB),
            ("iso", disks.udf(30), 30 * 2 * KIB),
            ("iso", disks.udf(30, b"NSR02"), 30 * 2 * KIB),
            ("qcow2", disks.qcow2(5 * MIB, features=0b10011), 5 * MIB),
            ("vmdk", disks.vmdk(extents='RW 2048 SPARSE "größe-磁盘.vmdk"'), MIB),
            ("gpt", disks.gpt(5 * MIB), 5 * MIB),
            ("luks", disks.luks(3 * MIB), 3 * MIB),
        ]
        for declared, data, size in table:
            self.assertEqual(size, virtual_size(data, declared), declared)

    def test_an_iso_that_boots_from_a_disk_is_an_iso(self) -> None:
        self.assertEqual(20 * 2 * KIB, virtual_size(disks.iso(20, HYBRID), "iso"))

    def test_the_volume_of_an_iso_may_stand_behind_other_descriptors(self) -> None:
        data = disks.iso(25)
        boot_record = b"\0CD001".ljust(2 * KIB, b"\0")
        moved = data[: 32 * KIB] + boot_record + data[32 * KIB : 34 * KIB] + data[36 * KIB :]
        self.assertEqual(25 * 2 * KIB, virtual_size(moved, "iso"))

    def test_the_footer_of_a_fixed_vhd_counts_only_if_it_is_right(self) -> None:
        disk = bytes(MIB)
        footer = bytearray(disks.vhd_footer(len(disk), 2))
        footer[100] ^= 1
        for data in (
            disk + footer,
            disk + disks.vhd_footer(len(disk) - 512, 2),
            disk + disks.vhd_footer(len(disk), 3),
            disk + disks.vhd_footer(len(disk), 2)[:-1],
        ):
            self.assertIn("looks like raw", self.refusal(bytes(data), "vhd"))

    def test_another_format_within_a_fixed_vhd_is_refused(self) -> None:
        data = disks.fixed_vhd(disks.qcow2())
        for declared in ("raw", "vhd", "qcow2"):
            self.assertIn("qcow2, vhd", self.refusal(data, declared))

    def test_a_vhd_that_depends_on_another_file_is_refused(self) -> None:
        self.assertIn("parent", self.refusal(disks.vhd_footer(MIB, 4) + bytes(KIB), "vhd"))

    def test_letters_outside_ascii_and_padding_hide_nothing_in_a_vmdk(self) -> None:
        table = [
            (disks.vmdk(extents='RW 2048 SPARSE "/etc/größe"'), "descriptor"),
            (disks.flat_vmdk(comment="# größe\n"), "descriptor"),
            (disks.flat_vmdk() + bytes(10 * KIB), "descriptor"),
        ]
        for data, reason in table:
            for declared in ("vmdk", "raw"):
                self.assertIn(reason, self.refusal(data, declared))

    def test_kernels_and_disks_with_a_boot_record_may_be_ami_aki_ari_and_ploop(self) -> None:
        for declared in ("ami", "aki", "ari", "ploop"):
            for data in (disks.kernel(), disks.master_boot_record(0x83, 0x80) + bytes(MIB)):
                self.assertIsNone(virtual_size(data, declared))

    def test_other_mixtures_of_formats_are_refused_whatever_is_declared(self) -> None:
        mixture = disks.iso(20, disks.qcow2()[: 32 * KIB])
        for declared in ("raw", "iso", "qcow2", "ami"):
            text = self.refusal(mixture, declared, LENIENT)
            self.assertIn("iso, qcow2", text)

    def test_data_declared_raw_may_be_another_harmless_format(self) -> None:
        harmless = (disks.qcow2, disks.vmdk, disks.gpt, disks.iso, disks.vhd, disks.luks)
        for data in (*(make() for make in harmless), disks.iso(20, HYBRID)):
            self.assertEqual(len(data), virtual_size(data, "raw"))

    def test_data_that_names_other_files_is_refused_whatever_is_declared(self) -> None:
        unsafe = {
            "backing_file": disks.qcow2(backing_file="/etc/passwd"),
            "data_file": disks.qcow2(features=0b100),
            "unknown_features": disks.qcow2(features=1 << 40),
            "descriptor": disks.vmdk(extents=OUTSIDE),
        }
        for check, data in unsafe.items():
            for declared in ("raw", "qcow2", "vmdk"):
                rules = LENIENT if declared != "raw" else DEFAULT
                self.assertIn(check, self.refusal(data, declared, rules), f"{check} as {declared}")

    def test_vmdks_of_other_kinds_are_refused(self) -> None:
        table = [
            disks.vmdk("monolithicFlat", 'RW 2048 FLAT "disk-flat.vmdk" 0'),
            disks.vmdk("custom"),
            disks.flat_vmdk(),
            disks.vmdk(extents=""),
            disks.stream_optimized(OUTSIDE),
            disks.stream_optimized()[:-KIB] + bytes([7]) * KIB,
        ]
        for data in table:
            for declared in ("vmdk", "raw"):
                self.assertIn("descriptor" if data is not table[-1] else "footer", self.refusal(data, declared))

    def test_an_operator_may_allow_fewer_kinds_of_vmdk(self) -> None:
        rules = InspectionRules(vmdk_types=("streamoptimized",))
        self.assertIn("monolithicsparse", self.refusal(disks.vmdk(), "vmdk", rules))
        self.assertIn("streamoptimized", self.refusal(disks.stream_optimized(), "vmdk", InspectionRules(vmdk_types=())))

    def test_a_qed_is_never_stored_under_its_name(self) -> None:
        self.assertIn("banned", self.refusal(b"QED\0" + bytes(KIB), "qed"))

    def test_findings_in_a_gpt_are_fatal_unless_the_operator_says_otherwise(self) -> None:
        data = disks.gpt(boot=0x7F)
        self.assertIn("mbr", self.refusal(data, "gpt"))
        self.assertEqual(len(data), virtual_size(data, "gpt", InspectionRules(gpt_nonfatal=frozenset({"mbr"}))))

    def test_the_exception_for_gpt_holds_for_nothing_else(self) -> None:
        rules = InspectionRules(gpt_nonfatal=frozenset({"mbr", "backing_file"}))
        self.assertIn("backing_file", self.refusal(disks.qcow2(backing_file="x"), "qcow2", rules))

    def test_data_of_another_format_than_declared_is_refused_with_both_names(self) -> None:
        table = [
            ("qcow2", NOISE, "raw"),
            ("qcow2", b"", "raw"),
            ("vmdk", disks.qcow2(), "qcow2"),
            ("iso", disks.gpt(), "gpt"),
            ("gpt", disks.iso(20, HYBRID), "iso"),
            ("ami", disks.vhd(), "vhd"),
            ("ploop", disks.qcow2(), "qcow2"),
        ]
        for declared, data, found in table:
            text = self.refusal(data, declared)
            self.assertIn(f"declared {declared} and the data looks like {found}", text)

    def test_formats_that_cannot_be_inspected_must_look_like_nothing_else(self) -> None:
        for declared in ("ami", "aki", "ari", "ploop"):
            self.assertIsNone(virtual_size(NOISE, declared))

    def test_without_a_required_match_another_format_is_only_logged(self) -> None:
        for declared, data in (("qcow2", NOISE), ("vmdk", disks.qcow2()), ("ami", disks.vhd())):
            self.assertIsNone(virtual_size(data, declared, LENIENT))

    def test_a_header_that_breaks_off_is_not_the_format(self) -> None:
        whole = {
            "qcow2": disks.qcow2()[:511],
            "vmdk": disks.vmdk()[:1000],
            "vhd": disks.vhd()[:100],
            "vhdx": disks.vhdx()[: 2 * MIB + 40],
            "vdi": disks.vdi()[:300],
            "iso": disks.iso()[: 33 * KIB],
            "gpt": disks.gpt()[:400],
            "luks": disks.luks()[:100],
        }
        for declared, data in whole.items():
            self.refusal(data, declared)

    def test_sizes_that_cannot_be_recorded_are_refused(self) -> None:
        table = [("qcow2", disks.qcow2(2**64 - 1)), ("vhd", disks.vhd(2**63)), ("luks", disks.luks()[:KIB])]
        for declared, data in table:
            self.assertIn("virtual size", self.refusal(data, declared))
        self.assertIn("virtual size", self.refusal(disks.vhdx(size_length=4), "vhdx"))
        self.assertEqual(2**63 - 1, virtual_size(disks.qcow2(2**63 - 1), "qcow2"))

    def test_a_luks_container_of_another_version_is_refused(self) -> None:
        self.assertIn("version", self.refusal(disks.luks(version=2), "luks"))

    def test_text_that_goes_over_into_bytes_is_raw(self) -> None:
        data = b"#!/bin/sh\n" * 60 + b"\xff\xfe" * 300
        self.assertEqual(len(data), virtual_size(data, "raw"))

    def test_a_long_comment_does_not_hide_a_descriptor(self) -> None:
        data = disks.flat_vmdk(comment="# nothing to see here\n" * 20000)
        self.assertIn("descriptor", self.refusal(data, "raw"))

    def test_the_verdict_does_not_depend_on_the_size_of_the_blocks(self) -> None:
        accepted = [
            ("qcow2", disks.qcow2(), 64 * MIB),
            ("vmdk", disks.vmdk(), MIB),
            ("iso", disks.iso(20, HYBRID), 40 * KIB),
            ("gpt", disks.gpt(64 * KIB), 64 * KIB),
        ]
        for step in (1, 511, MIB):
            for declared, data, size in accepted:
                self.assertEqual(size, virtual_size(data, declared, step=step), f"{declared} by {step}")
            self.assertIn("descriptor", self.refusal(disks.flat_vmdk(), "raw", step=step))
            self.assertIn("backing_file", self.refusal(disks.qcow2(backing_file="x"), "qcow2", step=step))
        for step in (511, 64 * KIB, MIB, 3 * MIB):
            self.assertEqual(64 * MIB, virtual_size(disks.vhdx(), "vhdx", step=step), f"vhdx by {step}")
            self.assertEqual(MIB, virtual_size(disks.stream_optimized(), "vmdk", step=step), f"vmdk by {step}")
            self.assertEqual(3 * MIB, virtual_size(disks.luks(3 * MIB), "luks", step=step), f"luks by {step}")


class TestCompressedData(testtools.TestCase):
    """Data of a raw disk in a bare container that was not unpacked."""

    PACKED = {
        "gzip": gzip.compress(NOISE),
        "zip": b"PK\3\4" + NOISE,
        "xz": lzma.compress(NOISE),
        "bzip2": bz2.compress(NOISE),
        "zstd": b"\x28\xb5\x2f\xfd" + NOISE,
        "zstd after a skippable frame": b"\x55\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfd" + NOISE,
    }

    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())

    def inspect(self, data: bytes, refuse: bool, **fields: object) -> int | None:
        rules = InspectionRules(refuse_compressed_raw=refuse)
        image = make_image(status="queued", **{"disk_format": "raw", "container_format": "bare", **fields})
        inspection = Inspection(image, rules)
        inspection.update(data)
        inspection.finish()
        return inspection.virtual_size

    def test_it_is_logged(self) -> None:
        for name, data in self.PACKED.items():
            self.assertEqual(len(data), self.inspect(data, refuse=False))
            self.assertIn(f"raw in a bare container and the data looks like {name.split()[0]}", self.log.output)
        self.assertEqual(len(NOISE), self.inspect(NOISE, refuse=True))

    def test_it_is_refused_if_the_operator_wants_that(self) -> None:
        for data in self.PACKED.values():
            self.assertIn("looks like", str(self.assertRaises(UnsafeContent, self.inspect, data, refuse=True)))

    def test_kernels_ramdisks_and_compressed_containers_are_rightly_compressed(self) -> None:
        for data in self.PACKED.values():
            for declared in ("aki", "ari"):
                self.inspect(data, refuse=True, disk_format=declared)
            self.inspect(data, refuse=True, container_format="compressed")
        self.assertNotIn("looks like", self.log.output)


class TestCost(testtools.TestCase):
    def test_memory_does_not_grow_with_the_data(self) -> None:
        for head in (b"", disks.qcow2(), disks.stream_optimized()):
            inspection = Inspection(make_image(disk_format="raw"), DEFAULT)
            block = bytes(MIB)
            inspection.update(head.ljust(3 * MIB, b"\0"))
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            for _ in range(32):
                inspection.update(block)
            held, _peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(held, MIB)
