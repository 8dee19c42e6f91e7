"""The settings of the background work of a cache, from the configuration."""

from dataclasses import dataclass
from typing import Self

from oslo_config import cfg

from glance_mini.domain.cache_rules import PrefetchRule, parse_rule


@dataclass(frozen=True)
class CacheSettings:
    """Times in seconds; ``max_unused`` 0: age removes nothing. ``rules``: what is fetched without being asked for."""

    check_interval: float = 5.0
    prefetch_interval: float = 300.0
    stall_time: float = 86_400.0
    max_unused: float = 0.0
    rules: tuple[PrefetchRule, ...] = ()

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the settings that ``conf`` has; raises ValueError for a rule that cannot be understood."""
        own = conf.cache
        return cls(
            check_interval=own.check_interval,
            prefetch_interval=own.prefetch_interval,
            stall_time=conf.image_cache_stall_time,
            max_unused=own.max_unused,
            rules=tuple(map(parse_rule, own.prefetch)),
        )
