"""The tables of the files of a chain, read by pages that are kept within a bound."""

import sys
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence

from glance_mini.content.qcow2.source import Source

PAGE_BITS = 16
PAGE = 1 << PAGE_BITS
"""Bytes of a page. An L2 table of clusters of up to 64 KiB lies within one, larger ones have several."""


class Tables:
    """Pages of tables, the last used ones kept within ``cache_bytes``; used by threads at once."""

    def __init__(self, sources: Sequence[Source], cache_bytes: int) -> None:
        self._sources = sources
        self._most = max(1, cache_bytes // PAGE)
        self._pages: OrderedDict[tuple[int, int], array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, level: int, number: int) -> "array[int]":
        """Return the numbers of 64 bits in page ``number`` of the file of ``level``; at its end there are fewer.

        The page must begin within the file. Raises what the source raises.
        """
        key = level, number
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
                return found
        source = self._sources[level]
        offset = number << PAGE_BITS
        page = numbers(source.read(offset, min(PAGE, source.size - offset)))
        with self._lock:
            self._pages[key] = page
            while len(self._pages) > self._most:
                self._pages.popitem(last=False)
        return page


def numbers(data: bytes) -> "array[int]":
    """Return the big-endian numbers of 64 bits in ``data``; what is left over is ignored."""
    found = array("Q", data[: len(data) & ~7])
    if sys.byteorder == "little":
        found.byteswap()
    return found


def packed_numbers(values: "array[int]") -> bytes:
    """Return ``values`` as big-endian numbers; the array may be changed."""
    if sys.byteorder == "little":
        values.byteswap()
    return values.tobytes()
