"""The index of a complete disk as bytes to keep (format-incremental-index)."""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator

from glance_mini.content.qcow2.errors import Damaged, StaleIndex, Unsupported
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.header import HEADER_BYTES, parse_header
from glance_mini.content.qcow2.index import MOST_WINDOWS, Index
from glance_mini.content.qcow2.layout import table_bits
from glance_mini.content.qcow2.level_runs import Qcow2Runs
from glance_mini.content.qcow2.tables import numbers, packed_numbers

_MAGIC = b"qcowidx\1"
_LEVEL = struct.Struct(">QII")
_END = struct.Struct(">BI")

_MOST_L1_ENTRIES = 128 * 1024
"""Entries of the L1 tables of all levels that are put into an index, 1 MiB; more are read from the files."""


def encode_index(chain: Chain, index: Index) -> bytes:
    """Return ``index`` with the headers and the L1 tables of ``chain``, compressed."""
    packer = zlib.compressobj(1)
    return _MAGIC + b"".join(packer.compress(part) for part in _parts(chain, index)) + packer.flush()


def _parts(chain: Chain, index: Index) -> Iterator[bytes]:
    room = _MOST_L1_ENTRIES
    yield bytes([len(chain.levels)])
    for number, level in enumerate(chain.levels):
        found = chain.level(number)
        header, l1 = b"", array("Q")
        if isinstance(found, Qcow2Runs):
            header = level.source.read(0, min(HEADER_BYTES, level.source.size))
            if found.header.l1_entries <= room:
                l1 = found.l1()
                room -= len(l1)
        yield _LEVEL.pack(level.source.size, len(header), len(l1)) + header + packed_numbers(l1)
    yield _END.pack(index.window_bits, len(index.counts))
    counts = index.counts[:]
    if sys.byteorder == "little":
        counts.byteswap()
    yield counts.tobytes()


def decode_index(chain: Chain, data: bytes) -> Index:
    """Return the index that ``encode_index`` made of the same chain, and teach ``chain`` its headers and L1 tables.

    Raises StaleIndex if the data is not one, or is of other files.
    """
    if not data.startswith(_MAGIC):
        raise StaleIndex(reason="it is not one, or of another version")
    try:
        return _decode(chain, _Fields(data[len(_MAGIC) :]))
    except (zlib.error, struct.error, EOFError, Damaged, Unsupported) as error:
        raise StaleIndex(reason=f"it cannot be read: {error}") from error


class _Fields:
    """The unpacked bytes, taken one field after the other; nothing is unpacked before it is taken."""

    def __init__(self, data: bytes) -> None:
        self._unpacker = zlib.decompressobj()
        self._data = data

    def take(self, length: int) -> bytes:
        """Return the next ``length`` bytes; raises EOFError."""
        if not length:
            return b""
        found = self._unpacker.decompress(self._data, length)
        self._data = self._unpacker.unconsumed_tail
        while len(found) < length:
            more = self._unpacker.decompress(self._data, length - len(found))
            if not more:
                raise EOFError("it ends too early")
            self._data = self._unpacker.unconsumed_tail
            found += more
        return found


def _decode(chain: Chain, fields: _Fields) -> Index:
    if fields.take(1)[0] != len(chain.levels):
        raise StaleIndex(reason="it is of another chain")
    for number, level in enumerate(chain.levels):
        size, length, entries = _LEVEL.unpack(fields.take(_LEVEL.size))
        if size != level.source.size or (length == 0) != (level.disk_format == "raw"):
            raise StaleIndex(reason=f"level {number} is another file")
        if length > HEADER_BYTES or entries > _MOST_L1_ENTRIES:
            raise StaleIndex(reason="it is too large")
        if length:
            header = parse_header(fields.take(length), size)
            l1 = numbers(fields.take(8 * entries))
            if entries not in (0, header.l1_entries):
                raise StaleIndex(reason="an L1 table is incomplete")
            chain.learn(number, header, l1 if entries else None)
    window_bits, windows = _END.unpack(fields.take(_END.size))
    bits = chain.cluster_bits
    wanted = -(-chain.size >> window_bits) if window_bits < 64 else -1
    if windows != wanted or windows > MOST_WINDOWS or not bits <= window_bits <= table_bits(bits):
        raise StaleIndex(reason="its windows are not those of the disk")
    counts = array("I", fields.take(4 * windows))
    if sys.byteorder == "little":
        counts.byteswap()
    return Index(counts, window_bits, table_bits(bits))
