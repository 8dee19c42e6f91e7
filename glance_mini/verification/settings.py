"""How much a verification may take, and what it may do; the options are defined in ``conf.verify``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from oslo_config import cfg


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """``rate`` is in bytes a second, 0 for any; ``safe_age`` in seconds; ``interval`` None: there is no schedule.

    ``most_findings`` is how many are recorded. ``repairs``: whether runs of the schedule repair.
    """

    rate: int = 0
    safe_age: float = 86_400
    most_findings: int = 10_000
    interval: timedelta | None = None
    repairs: bool = False

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the settings in ``[verify]``."""
        options = conf.verify
        interval = timedelta(seconds=options.interval) if options.interval else None
        return cls(options.rate, options.safe_age, options.max_findings, interval, options.repair)


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What one run does: ``store`` None means all stores, ``sample`` None all copies.

    ``removes_unknown``: whether objects that no image knows are deleted when they are old enough.
    """

    store: str | None = None
    repairs: bool = False
    sample: int | None = None
    removes_unknown: bool = False

    def as_input(self) -> dict[str, object]:
        """Return the input of a job for this request."""
        return {
            "store": self.store,
            "repair": self.repairs,
            "sample": self.sample,
            "delete_unknown": self.removes_unknown,
        }

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Return the request in the input of a job."""
        store, sample = values.get("store"), values.get("sample")
        return cls(
            store if isinstance(store, str) else None,
            bool(values.get("repair")),
            sample if isinstance(sample, int) else None,
            bool(values.get("delete_unknown")),
        )
