"""The verification of stored data: copies that are read again, and what was found wrong (operator/verification)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glance_mini.domain.image import Location

MISSING = "missing"
"""There is no data at the location of an image."""

DAMAGED = "damaged"
"""The data at the location of an image has another size or other bytes than the image."""

UNREADABLE = "unreadable"
"""The store did not give the data now; nothing is known of it."""

UNKNOWN = "unknown"
"""The store has data that belongs to no image."""

KINDS = (MISSING, DAMAGED, UNREADABLE, UNKNOWN)

FOUND, REPAIRED, REMOVED = "found", "repaired", "removed"
"""The states of a finding: it is as it was found, a good copy has taken the place of the data, or data is deleted."""


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """The data of an image in one place, and what the database knows of the image; ``location`` has its id."""

    image_id: str
    location: Location
    size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None

    @property
    def expected(self) -> "Expected":
        """What the stored bytes must be: those of the image, or of the delta that is stored of it."""
        delta = self.location.delta
        source = self if delta is None else delta
        digests = {"md5": source.checksum, source.os_hash_algo or "": source.os_hash_value}
        return Expected(source.size, {name: value for name, value in digests.items() if name and value})


@dataclass(frozen=True, slots=True)
class Expected:
    """The size in bytes (None: not known) and the hex digests by algorithm, none if the image has no hashes."""

    size: int | None
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong in a store: one for each ``subject``, which names a copy or an object in it.

    ``reason`` says more, in a sentence and without a location. ``name`` is that of an object that no image knows.
    """

    store: str
    subject: str
    kind: str
    state: str = FOUND
    reason: str = ""
    image_id: str | None = None
    name: str | None = None
    size: int | None = None
    found_at: datetime | None = None
    id: int | None = field(default=None, compare=False)

    @property
    def is_open(self) -> bool:
        """Whether it still asks for somebody."""
        return self.state == FOUND


@dataclass(frozen=True, slots=True)
class Verification:
    """One run; ``job_id`` is its job, ``ended_at`` None until it has ended, and ``counts`` what it has done by name."""

    job_id: str
    began_at: datetime
    ended_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
