"""The name of a backing file does not reach a store; everything else does."""

from collections.abc import Iterator

import testtools

from glance_mini.content.qcow2.blanking import BlankedBacking, FoundBacking
from glance_mini.content.qcow2.errors import Damaged, Unsupported
from tests.unit.content.qcow2.disks import MIB, WITH_QEMU, DiskCase, header, joined

NAME = b"/var/lib/secret/base.qcow2"


def pieces(data: bytes, size: int) -> Iterator[memoryview]:
    """Yield ``data`` in one buffer that is used again for each piece, as uploads do."""
    buffer = bytearray(size)
    for start in range(0, len(data), size):
        part = data[start : start + size]
        buffer[: len(part)] = part
        yield memoryview(buffer)[: len(part)]
    buffer[:] = b"!" * size


def blanked(data: bytes, size: int = 4096) -> tuple[bytes, FoundBacking]:
    """Return what comes out, taken before the next piece is asked for, and what was found."""
    filtered = BlankedBacking(pieces(data, size))
    out = joined(bytes(chunk) for chunk in filtered)
    assert filtered.found is not None
    return out, filtered.found


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data.ljust(-(-len(data) // 8) * 8, b"\0")


FORMAT, FEATURES = 0xE2792ACA, 0x6803F857


def overlay(*extensions: bytes, size: int = 4 * 65536, **values: int) -> bytes:
    """Return a qcow2 with extensions and a name behind them."""
    middle = b"".join(extensions) + bytes(8)
    start = header(MIB, name=(112 + len(middle), len(NAME)), length=112, **values)  # type: ignore[arg-type]
    return (start + middle + NAME).ljust(size, b"\xaa")


class TestBlanking(testtools.TestCase):
    def test_other_data_passes_unchanged_in_pieces_of_any_size(self) -> None:
        for data in (b"", b"Q", b"QFI\xfb", b"raw disk" * 9000, header(MIB).ljust(5000, b"x"), header(MIB)[:80]):
            for size in (1, 3, 111, 4096, MIB):
                self.assertEqual((data, FoundBacking(None)), blanked(data, size))

    def test_the_name_goes_and_all_else_stays(self) -> None:
        data = overlay()
        expected = bytearray(data)
        expected[8:20] = bytes(12)
        expected[120 : 120 + len(NAME)] = bytes(len(NAME))
        for size in (1, 7, 4096, 65536, MIB):
            out, found = blanked(data, size)
            self.assertEqual(bytes(expected), out)
            assert found.header is not None
            self.assertEqual((NAME.decode(), MIB, ""), (found.name, found.header.virtual_size, found.backing_format))

    def test_the_format_goes_and_other_extensions_stay(self) -> None:
        table = extension(FEATURES, b"f" * 96)
        for order in ((extension(FORMAT, b"qcow2"), table), (table, extension(FORMAT, b"qcow2"))):
            out, found = blanked(overlay(*order))
            self.assertEqual("qcow2", found.backing_format)
            self.assertEqual(table + bytes(16 + 8 + len(NAME)), out[112 : 112 + 104 + 16 + 8 + len(NAME)])
            self.assertEqual(4 * 65536, len(out))

    def test_a_format_that_is_named_twice_goes_twice(self) -> None:
        out, _ = blanked(overlay(extension(FORMAT, b"raw"), extension(FORMAT, b"qcow2")))
        self.assertNotIn(b"raw", out)
        self.assertNotIn(b"qcow2", out)

    def test_nothing_comes_out_of_what_is_refused(self) -> None:
        cases = {
            Unsupported: (overlay(features=1), overlay(features=4), overlay(snapshots=1), overlay(version=1)),
            Damaged: (
                overlay()[:130],
                overlay(bits=22),
                header(MIB, name=(2**63, 5)).ljust(65536, b"x"),
                overlay(extension(FORMAT, b"qcow2")[:4] + b"\xff\xff\xff\xff"),
            ),
        }
        for error, disks in cases.items():
            for data in disks:
                filtered = BlankedBacking(pieces(data, 1000))
                self.assertRaises(error, next, filtered)
                self.assertIsNone(filtered.found)

    def test_memory_is_bounded_by_the_first_cluster(self) -> None:
        taken = 0

        def endless() -> Iterator[bytes]:
            nonlocal taken
            yield overlay(bits=21)
            while True:
                taken += MIB
                yield bytes(MIB)

        next(BlankedBacking(endless()))
        self.assertEqual(2 * MIB, taken)


@WITH_QEMU
class TestMadeOverlays(DiskCase):
    def test_what_qemu_img_makes_names_nothing_afterwards(self) -> None:
        self.raw("base.raw", MIB)
        for options in ("", "compat=0.10", "cluster_size=512", "cluster_size=2M", "extended_l2=on"):
            self.create("top", "base.raw", None, options)
            self.write("top", "write -P 5 64k 4k")
            out, found = blanked((self.home / "top").read_bytes())
            self.assertEqual(("base.raw", "raw"), (found.name, found.backing_format))
            self.assertNotIn(b"base.raw", out)
            (self.home / "blank").write_bytes(out)
            self.qemu_img("check", "-f", "qcow2", "blank")
            self.assertNotIn("backing", self.qemu_img("info", "-f", "qcow2", "blank"))
            self.qemu_img("rebase", "-u", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "blank")
            self.same_bytes(self.guest("top"), self.guest("blank"))
