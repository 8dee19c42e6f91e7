"""What an operator must know about a migration: things that could not be taken over, or only in part."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

SHOWN = 100
"""Remarks that a summary keeps; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Remark:
    """``reason`` says what happened to the thing of ``kind`` with ``id``; ``is_left_out``: it was not taken over."""

    kind: str
    id: str
    reason: str
    is_left_out: bool = False


AddRemark = Callable[[Remark], None]


@dataclass
class Remarks:
    """Collects remarks in bounded memory: ``counts`` by kind and reason, and the ``first`` ones.

    ``also`` gets every remark, for example to write it to a file.
    """

    also: AddRemark | None = None
    counts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    first: list[Remark] = field(default_factory=list)

    def add(self, remark: Remark) -> None:
        """Add one remark."""
        self.counts[remark.kind, remark.is_left_out] += 1
        if len(self.first) < SHOWN:
            self.first.append(remark)
        if self.also is not None:
            self.also(remark)
