"""The sizes of segments: a manifest has a largest number of them, and Swift a largest size of an object."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class SegmentSizes:
    """Sizes in bytes: ``first`` of the first segments, ``largest`` of an object; ``count`` is of a manifest."""

    first: int
    largest: int = 5 * 1024 * MIB
    count: int = 1000

    def size(self, number: int, total: int | None) -> int:
        """Return the size of segment ``number`` (from 0) of data of ``total`` bytes (None: unknown).

        Of unknown data each quarter of the segments is twice as large as the one before.
        """
        if total is not None:
            wanted = max(self.first, -(-total // self.count))
        else:
            wanted = self.first << (4 * number // self.count)
        return min(wanted, self.largest)

    @property
    def limit(self) -> int:
        """Return the size of the largest data of unknown size."""
        return sum(self.size(number, None) for number in range(self.count))
