"""Small but real beginnings of disk images, made from what their specifications say."""

import struct
from uuid import UUID

KIB = 1024
MIB = 1024 * KIB
SECTOR = 512

VMDK_TEXT = """# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="{create_type}"

# Extent description
{extents}

# The Disk Data Base
#DDB
ddb.virtualHWVersion = "4"
ddb.adapterType = "ide"
"""

AT_END = 0xFFFFFFFFFFFFFFFF


def qcow2(size: int = 64 * MIB, *, version: int = 3, backing_file: str = "", features: int = 0) -> bytes:
    """Return a qcow2 of ``size`` bytes without clusters; ``features`` are the incompatible ones."""
    name = backing_file.encode()
    offset = 112 if name else 0
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", version, offset, len(name), 16, size)
    header += struct.pack(">IIQQIIQ", 0, 1, 3 * 64 * KIB, 64 * KIB, 1, 0, 0)
    header += struct.pack(">QQQII", features, 0, 0, 4, 104)
    return (header + bytes(8) + name).ljust(64 * KIB, b"\0")


def vmdk(
    create_type: str = "monolithicSparse",
    extents: str = 'RW 2048 SPARSE "disk.vmdk"',
    *,
    sectors: int = 2048,
    directory: int = 21,
) -> bytes:
    """Return a sparse vmdk of ``sectors``; ``directory`` is where its grain directory lies."""
    text = VMDK_TEXT.format(create_type=create_type, extents=extents).encode()
    return vmdk_header(sectors, directory) + text.ljust(20 * SECTOR, b"\0") + bytes(4 * KIB)


def vmdk_header(sectors: int, directory: int) -> bytes:
    """Return the first sector of a sparse vmdk."""
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", 1, 3, sectors, 128, 1, 20, 512, 21, directory, 128)
    return header.ljust(SECTOR, b"\0")


def stream_optimized(extents: str = 'RW 2048 SPARSE "disk.vmdk"') -> bytes:
    """Return a stream-optimized vmdk, whose footer says where the grain directory is."""
    marker = struct.pack("<QII", 1, 0, 3).ljust(SECTOR, b"\0")
    body = vmdk("streamOptimized", extents, directory=AT_END) + bytes(2 * MIB)
    return body + marker + vmdk_header(2048, 30) + bytes(SECTOR)


def flat_vmdk(extents: str = 'RW 2048 FLAT "/etc/passwd" 0', comment: str = "") -> bytes:
    """Return a vmdk that is nothing but a descriptor of data elsewhere."""
    text = VMDK_TEXT.format(create_type="monolithicFlat", extents=extents)
    return text.replace("version=1", f"{comment}version=1", 1).encode()


def master_boot_record(kind: int = 0xEE, boot: int = 0) -> bytes:
    """Return a sector with one partition of ``kind`` (0xEE protects a GPT) and the boot flag ``boot``."""
    entry = struct.pack("<B3BB3BII", boot, 0, 2, 0, kind, 0xFF, 0xFF, 0xFF, 1, 4095)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def gpt(size: int = 2 * MIB, **record: int) -> bytes:
    """Return a disk of ``size`` bytes with a partition table."""
    return master_boot_record(**record) + b"EFI PART".ljust(SECTOR, b"\0") + bytes(size - 2 * SECTOR)


def iso(blocks: int = 20, first_sector: bytes = b"") -> bytes:
    """Return an ISO 9660 volume of ``blocks`` of 2 KiB; ``first_sector`` makes it a hybrid."""
    volume = bytearray(2 * KIB)
    volume[0:6] = b"\x01CD001"
    volume[80:84] = struct.pack("<L", blocks)
    volume[128:130] = struct.pack("<H", 2 * KIB)
    return first_sector.ljust(32 * KIB, b"\0") + bytes(volume) + bytes((blocks - 17) * 2 * KIB)


def vhd(size: int = 64 * MIB) -> bytes:
    """Return the header of a dynamic vhd of ``size`` bytes."""
    return vhd_footer(size, 3) + bytes(3 * SECTOR)


def vhd_footer(size: int, kind: int) -> bytes:
    """Return the footer of a vhd of ``size`` bytes; ``kind`` is 2 for fixed, 3 for dynamic, 4 for differencing."""
    footer = bytearray(b"conectix" + bytes(32) + struct.pack(">QQII", size, size, 0, kind)).ljust(SECTOR, b"\0")
    footer[64:68] = struct.pack(">I", ~sum(footer) & 0xFFFFFFFF)
    return bytes(footer)


def fixed_vhd(data: bytes) -> bytes:
    """Return a fixed vhd of the disk ``data``."""
    return data + vhd_footer(len(data), 2)


def udf(blocks: int = 20, version: bytes = b"NSR03") -> bytes:
    """Return the beginning of a UDF volume of ``blocks`` of 2 KiB that is no ISO 9660 volume."""
    marks = b"".join((b"\0" + mark + b"\1").ljust(2 * KIB, b"\0") for mark in (b"BEA01", version, b"TEA01"))
    return bytes(32 * KIB) + marks + bytes((blocks - 19) * 2 * KIB)


def kernel(size: int = MIB) -> bytes:
    """Return the beginning of a Linux kernel for x86: the sector has the signature of a boot record."""
    return (b"MZ" + bytes(508) + b"\x55\xaa" + b"\xeb\x6aHdrS").ljust(size, b"\x90")


def vdi(size: int = 64 * MIB) -> bytes:
    """Return the header of a vdi of ``size`` bytes."""
    header = b"<<< VirtualBox Disk Image >>>\n".ljust(0x40, b"\0") + struct.pack("<I", 0xBEDA107F)
    return (header.ljust(0x170, b"\0") + struct.pack("<Q", size)).ljust(KIB, b"\0")


def vhdx(size: int = 64 * MIB, size_length: int = 8) -> bytes:
    """Return a vhdx whose metadata says ``size``, in a field of ``size_length`` bytes."""
    data = bytearray(3 * MIB)
    data[0:8] = b"vhdxfile"
    region = UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le + struct.pack("<QII", 2 * MIB, MIB, 1)
    data[192 * KIB : 192 * KIB + 48] = struct.pack("<IIII", 0x69676572, 0, 1, 0) + region
    item = UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8").bytes_le + struct.pack("<IIII", 64 * KIB, size_length, 0, 0)
    data[2 * MIB : 2 * MIB + 64] = struct.pack("<8sHH", b"metadata", 0, 1).ljust(32, b"\0") + item
    data[2 * MIB + 64 * KIB : 2 * MIB + 64 * KIB + 8] = struct.pack("<Q", size)
    return bytes(data)


def luks(payload: int = MIB, *, version: int = 1, offset: int = 4096) -> bytes:
    """Return a LUKS container of ``payload`` bytes, which begin at the sector ``offset``."""
    cipher = (b"aes", b"xts-plain64", b"sha256")
    header = struct.pack(">6sH32s32s32sII20s32sI", b"LUKS\xba\xbe", version, *cipher, offset, 32, b"", b"", 1000)
    return header.ljust(offset * SECTOR, b"\0") + bytes(payload)
