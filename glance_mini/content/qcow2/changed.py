"""Deltas that are made here: some clusters of a disk, as a qcow2 above another disk (format-incremental-rebase)."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property

from glance_mini.content.qcow2.complete import window_bits
from glance_mini.content.qcow2.errors import StaleIndex, Unsupported
from glance_mini.content.qcow2.extents import Chain
from glance_mini.content.qcow2.index import count_clusters
from glance_mini.content.qcow2.layout import Layout, table_bits
from glance_mini.content.qcow2.pieces import Piece
from glance_mini.content.qcow2.reading import read_pieces
from glance_mini.content.qcow2.spans import Span, spans
from glance_mini_store.lanes import Chunk

_GROUP = 8192
"""Clusters whose bits are kept together."""

_MOST_GROUPS = 32 * 1024
"""Groups in which clusters have changed: 32 MiB of bits, or 16 TiB of changes in clusters of 64 KiB."""

_MAGIC = b"changed\1"
_HEAD = struct.Struct(">QI")
_NUMBER = struct.Struct(">Q")


class ChangedClusters:
    """A set of clusters of a disk, by number."""

    def __init__(self) -> None:
        self._groups: dict[int, bytearray] = {}

    def add(self, cluster: int) -> None:
        """Put one in; raises Unsupported beyond the bound of memory."""
        number, at = divmod(cluster, _GROUP)
        group = self._groups.get(number)
        if group is None:
            if len(self._groups) == _MOST_GROUPS:
                raise Unsupported(reason="more of it has changed than one delta can hold")
            group = self._groups[number] = bytearray(_GROUP // 8)
        group[at >> 3] |= 1 << (at & 7)

    def ranges(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (first, end) of the clusters in the set between ``start`` and ``end``, in order; two may touch."""
        for number in self._numbers(start // _GROUP, -(-end // _GROUP)):
            base = number * _GROUP
            bits = int.from_bytes(self._groups.get(number, b""), "little")
            bits &= (1 << max(0, min(end - base, _GROUP))) - 1
            at = max(start - base, 0)
            bits >>= at
            while bits:
                skipped = (bits & -bits).bit_length() - 1
                bits >>= skipped
                count = (~bits & (bits + 1)).bit_length() - 1
                yield base + at + skipped, base + at + skipped + count
                bits >>= count
                at += skipped + count

    def _numbers(self, first: int, end: int) -> Iterable[int]:
        """Return the numbers of the groups from ``first`` to ``end``, perhaps of those only that exist."""
        if end - first <= len(self._groups):
            return range(first, end)
        return sorted(number for number in self._groups if first <= number < end)

    def encode(self, position: int) -> bytes:
        """Return the set and ``position``, a number of the caller, compressed."""
        packer = zlib.compressobj(1)
        parts = [packer.compress(_HEAD.pack(position, len(self._groups)))]
        parts += [packer.compress(_NUMBER.pack(number) + bits) for number, bits in sorted(self._groups.items())]
        return _MAGIC + b"".join(parts) + packer.flush()

    @classmethod
    def decode(cls, data: bytes) -> tuple["ChangedClusters", int]:
        """Return what ``encode`` was given; raises StaleIndex."""
        size = _NUMBER.size + _GROUP // 8
        try:
            unpacked = zlib.decompressobj().decompress(data[len(_MAGIC) :], _HEAD.size + _MOST_GROUPS * size)
            position, count = _HEAD.unpack_from(unpacked)
            found = cls()
            for at in range(_HEAD.size, _HEAD.size + count * size, size):
                (number,) = _NUMBER.unpack_from(unpacked, at)
                found._groups[number] = bytearray(unpacked[at + _NUMBER.size : at + size])
        except (zlib.error, struct.error) as error:
            raise StaleIndex(reason=f"a checkpoint cannot be read: {error}") from error
        if not data.startswith(_MAGIC) or len(unpacked) != _HEAD.size + count * size:
            raise StaleIndex(reason="a checkpoint is incomplete")
        return found, position


class DeltaDisk:
    """A qcow2 of the clusters ``changed`` of the disk of ``chain``; all others are those of the disk below.

    Clusters have ``1 << bits`` bytes. ``name`` is what the file calls its backing file, and ``name_format`` the format
    of that; without a name it names none. The layout is that of a complete disk and always the same, so a transfer may
    go on at any offset.
    """

    def __init__(
        self, chain: Chain, changed: ChangedClusters, bits: int, name: bytes = b"", name_format: bytes = b""
    ) -> None:
        self._chain = chain
        self._changed = changed
        self._bits = bits
        self._name = name
        self._name_format = name_format

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self._layout.size

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Chunk]:
        """Yield the bytes from ``offset`` (None: to the end), at most 1 MiB at once; errors may come late."""
        return read_pieces(self._chain, self.pieces(offset, length))

    def pieces(self, offset: int = 0, length: int | None = None) -> Iterator[Piece]:
        """Yield what these bytes consist of, in order, without reading data."""
        return self._layout.pieces(offset, length)

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield the changed clusters between the guest's bytes ``start`` and ``end``; zeros are marked as such."""
        found = spans(self._chain.runs(start, end), self._bits)
        span = next(found, None) if self._has_changes(start, end) else None
        for first, stop in self._changed.ranges(start >> self._bits, end >> self._bits):
            while first < stop:
                while span is not None and span.first + span.clusters <= first:
                    span = next(found, None)
                if span is None or span.first >= stop:
                    yield Span(first, stop - first, False, ())
                    break
                if span.first > first:
                    yield Span(first, span.first - first, False, ())
                    first = span.first
                high = min(stop, span.first + span.clusters)
                yield self._part(span, first, high)
                first = high

    def _has_changes(self, start: int, end: int) -> bool:
        return next(self._changed.ranges(start >> self._bits, end >> self._bits), None) is not None

    def _part(self, span: Span, first: int, end: int) -> Span:
        runs = span.runs if span.clusters == 1 else (span.runs[0].part(first << self._bits, end << self._bits),)
        return Span(first, end - first, span.is_data, runs)

    @cached_property
    def _layout(self) -> Layout:
        window = min(max(window_bits(self._chain), self._bits), table_bits(self._bits))
        index = count_clusters(self, self._chain.size, self._bits, window, table_bits(self._bits))
        return Layout(self, index, self._chain.size, self._bits, self._name, self._name_format)


def merged_delta(chain: Chain, depth: int) -> DeltaDisk:
    """Return the delta that holds what the uppermost ``depth`` levels of ``chain`` hold, each cluster whole.

    Above the levels below, its complete disk is that of ``chain``, byte for byte. Reads the tables of those levels.
    Raises Damaged, Unsupported.
    """
    bits, changed = chain.cluster_bits, ChangedClusters()
    for run in chain.runs(depth=depth):
        for cluster in range(run.start >> bits, -(-run.end >> bits)):
            changed.add(cluster)
    return DeltaDisk(chain, changed, bits)
