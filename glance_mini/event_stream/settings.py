"""The settings of the streams of one process."""

from dataclasses import dataclass
from typing import Self

from oslo_config import cfg


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """The values of [events] under the same names; times in seconds."""

    max_listeners: int = 1000
    max_listeners_per_caller: int = 20
    max_pending_bytes: int = 256 * 1024
    interval: float = 1.0
    heartbeat: float = 15.0
    check_interval: float = 30.0

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the settings that ``conf`` holds."""
        return cls(**{name: conf.events[name] for name in cls.__dataclass_fields__})
