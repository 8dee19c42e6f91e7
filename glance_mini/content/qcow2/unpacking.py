"""Unpacks compressed clusters, within a bound: never to more than a cluster."""

import sys
import zlib
from collections import OrderedDict

from glance_mini.content.qcow2.errors import Damaged

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEPT_BYTES = 4 * 1024 * 1024
"""Bytes of unpacked clusters that one reading keeps: small clusters above a larger one take parts of it in turn."""

_ZSTD_WINDOW_BITS = 22
"""No frame may ask for a larger window; the largest cluster has 2 MiB."""

_RAW_DEFLATE = -15


def unpack(packed: bytes | memoryview, cluster_size: int, is_zstd: bool) -> bytes:
    """Return the ``cluster_size`` bytes that ``packed`` begins with in compressed form; raises Damaged."""
    try:
        if is_zstd:
            options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_BITS}
            data = zstd.ZstdDecompressor(options=options).decompress(packed, cluster_size)
        else:
            data = zlib.decompressobj(_RAW_DEFLATE).decompress(packed, cluster_size)
    except (zlib.error, zstd.ZstdError) as error:
        raise Damaged(reason=f"a compressed cluster cannot be unpacked: {error}") from error
    if len(data) != cluster_size:
        raise Damaged(reason=f"a compressed cluster has {len(data)} bytes and not {cluster_size}")
    return data


class Unpacked:
    """The clusters that were unpacked last, by level and offset; the oldest go beyond KEPT_BYTES."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, level: int, offset: int) -> bytes | None:
        """Return the cluster whose packed bytes are there, or None."""
        return self._kept.get((level, offset))

    def put(self, level: int, offset: int, data: bytes) -> None:
        """Keep ``data``."""
        self._kept[level, offset] = data
        self._bytes += len(data)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])
