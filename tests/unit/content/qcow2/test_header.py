"""The header of a qcow2: what is read of it, and what is refused before anything else is looked at."""

import testtools

from glance_mini.content.qcow2.errors import Damaged, Unsupported
from glance_mini.content.qcow2.header import Header, parse_header, read_header
from tests.unit.content.qcow2.disks import MIB, CountedSource, header

UNSUPPORTED = {
    "dirty": header(MIB, features=1),
    "corrupt": header(MIB, features=2),
    "data is in another file": header(MIB, features=4),
    "incompatible features 0x20": header(MIB, features=0x20),
    "incompatible features 0x8000000000000000": header(MIB, features=1 << 63),
    "encrypted": header(MIB, crypt=2),
    "2 internal snapshots": header(MIB, snapshots=2),
    "version 1": header(MIB, version=1),
    "version 4": header(MIB, version=4),
    "compression has the number 2": header(MIB, features=8, length=112, compression=2),
    "compression has the number 0": header(MIB, features=8),
    "compression has the number 1": header(MIB, length=112, compression=1),
}

DAMAGED = {
    "does not begin as a qcow2": b"conectix" * 14,
    "header is cut off": header(MIB)[:71],
    "header is cut off ": header(MIB)[:103],
    "2^8 bytes": header(MIB, 8),
    "2^22 bytes": header(MIB, 22),
    "disk of 9223372036854775808 bytes": header(2**63, 21, l1_entries=2**32 - 1),
    "disk of 9223372036854775807 bytes": header(2**63 - 1, 21, l1_entries=2**32 - 1),
    "137438986240 bytes": header(2**37 + 2**15, 9, l1_entries=2**32 - 1),
    "0 entries, and 1 are needed": header(MIB, l1_entries=0),
    "L1 table is at 65537": header(MIB, l1_offset=65537),
    "L1 table is at 0": header(MIB, l1_offset=0),
    "beyond the end": header(MIB, l1_offset=1 << 40),
    "beyond the end ": header(MIB, l1_offset=2**64 - 65536),
    "header has 100 bytes": header(MIB, length=100),
    "more than a cluster": header(MIB, length=65537),
    "too small for extended": header(MIB, 12, features=16),
    "name of its backing file has 1024 bytes": header(MIB, name=(200, 1024)),
    "not in the first cluster": header(MIB, name=(65530, 100)),
    "not in the first cluster ": header(MIB, name=(2**63, 100)),
    "not in the first cluster  ": header(MIB, name=(90, 4)),
}


class TestHeader(testtools.TestCase):
    def test_a_plain_header(self) -> None:
        found = read_header(CountedSource(header(3 * MIB).ljust(3 * 65536, b"\0")))
        self.assertEqual(Header(3, 16, 3 * MIB, 65536, length=104), found)
        self.assertEqual((1, False, 29), (found.l1_entries, found.has_backing_name, found.table_bits))

    def test_it_takes_one_small_read(self) -> None:
        source = CountedSource(header(3 * MIB).ljust(3 * 65536, b"\0"))
        read_header(source)
        self.assertEqual([(0, 112)], source.reads)

    def test_the_short_header_of_version_2(self) -> None:
        found = parse_header(header(3 * MIB, version=2)[:72])
        self.assertEqual((2, 72, False), (found.version, found.length, found.is_zstd))

    def test_features_that_are_read(self) -> None:
        found = parse_header(header(MIB, features=0x18, length=112, compression=1))
        self.assertEqual((True, True, 28), (found.is_zstd, found.has_extended_l2, found.table_bits))

    def test_a_name_needs_a_place_and_a_length(self) -> None:
        for name, has_name in (((200, 5), True), ((0, 5), False), ((200, 0), False)):
            self.assertEqual(has_name, parse_header(header(MIB, name=name)).has_backing_name)

    def test_what_is_not_supported_is_named(self) -> None:
        for reason, data in UNSUPPORTED.items():
            error = self.assertRaises(Unsupported, parse_header, data, 1 << 40)
            self.assertIn(reason, str(error))

    def test_what_cannot_be_is_damaged(self) -> None:
        for reason, data in DAMAGED.items():
            error = self.assertRaises(Damaged, parse_header, data, 1 << 40)
            self.assertIn(reason.strip(), str(error))

    def test_an_empty_file(self) -> None:
        self.assertRaises(Damaged, read_header, CountedSource(b""))
