"""The sources of a project's limits: the options, or Keystone's unified limits through oslo.limit.

This module does not count: the data access layer does, in the statement that reserves room (api-quotas-counting).
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

from oslo_config import cfg

from glance_mini.domain import quota
from glance_mini.domain.units import parse_size

if TYPE_CHECKING:
    from oslo_limit.limit import Enforcer

MIB = 1024 * 1024

_IN_MIB = frozenset({quota.IMAGE_SIZE_TOTAL, quota.IMAGE_STAGE_TOTAL})
_REMEMBER_SECONDS = 30.0


class LimitSource(Protocol):
    """A source of the limits of projects."""

    @property
    def together(self) -> Mapping[str, tuple[str, ...]]:
        """The resources that count under the limit of another one too."""
        ...

    @property
    def shown(self) -> tuple[str, ...]:
        """The resources that users may look up with their usage."""
        ...

    def project_limits(self, project_id: str) -> Mapping[str, int]:
        """Return the limits of the project by resource, in bytes or counts; a missing resource has no limit."""
        ...


class OptionLimits:
    """The limit of ``user_storage_quota``, the same for all projects; 0 means no limit.

    Stored and staged bytes count together, and with ``counts_deleted`` those of deleted images that can be restored.
    """

    def __init__(self, storage: int, counts_deleted: bool = True) -> None:
        counted = sorted(quota.IN_BYTES if counts_deleted else quota.IN_BYTES - {quota.IMAGE_SIZE_DELETED})
        self.shown = tuple(sorted(quota.IN_BYTES)) if storage else ()
        limited = (quota.IMAGE_SIZE_TOTAL, quota.IMAGE_STAGE_TOTAL) if storage else ()
        self.together = {each: tuple(other for other in counted if other != each) for each in limited}
        self._limits = dict.fromkeys(limited, storage)

    def project_limits(self, project_id: str) -> Mapping[str, int]:
        return self._limits


class UnifiedLimits:
    """Limits registered in Keystone, cached for half a minute.

    Keystone is first asked at the first use and not at start, so that the service starts without it. If the limits
    cannot be read, each use raises an error: an unreadable limit never means no limit. With ``counts_deleted`` the
    bytes of deleted images that can be restored count under ``image_size_total``.
    """

    shown = quota.COUNTED

    def __init__(
        self,
        open_enforcer: "Callable[[], Enforcer]",
        clock: Callable[[], float] = time.monotonic,
        counts_deleted: bool = True,
    ) -> None:
        deleted = (quota.IMAGE_SIZE_DELETED,) if counts_deleted else ()
        self.together: Mapping[str, tuple[str, ...]] = {quota.IMAGE_SIZE_TOTAL: deleted}
        self._open_enforcer = open_enforcer
        self._clock = clock
        self._enforcer: Enforcer | None = None
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Mapping[str, int]]] = {}
        self._asking: dict[str, Future[Mapping[str, int]]] = {}

    def project_limits(self, project_id: str) -> Mapping[str, int]:
        limits = self._remembered(project_id)
        return self._ask_together(project_id) if limits is None else limits

    def _remembered(self, project_id: str) -> Mapping[str, int] | None:
        until, limits = self._known.get(project_id, (0.0, {}))
        return limits if self._clock() < until else None

    def _ask_together(self, project_id: str) -> Mapping[str, int]:
        """Ask, or share the answer or error of a thread that is already asking: simultaneous requests cost one."""
        mine: Future[Mapping[str, int]] = Future()
        asking = self._asking.setdefault(project_id, mine)
        if asking is mine:
            try:
                # Another thread may have got the answer since this one checked.
                mine.set_result(self._remembered(project_id) or self._ask(project_id))
            except BaseException as error:
                mine.set_exception(error)
            finally:
                del self._asking[project_id]
        return asking.result()

    def _ask(self, project_id: str) -> Mapping[str, int]:
        with self._lock:
            if self._enforcer is None:
                self._enforcer = self._open_enforcer()
        found = self._enforcer.calculate_usage(project_id, list(quota.RESOURCES))
        limits = {
            resource: each.limit * (MIB if resource in _IN_MIB else 1)
            for resource, each in found.items()
            if each.limit >= 0
        }
        self._known[project_id] = (self._clock() + _REMEMBER_SECONDS, limits)
        return limits


def limit_source(conf: cfg.ConfigOpts) -> LimitSource:
    """Return the source that ``use_keystone_limits`` chooses."""
    if conf.use_keystone_limits:
        return UnifiedLimits(lambda: _open_enforcer(conf), counts_deleted=conf.quota_counts_deleted)
    return OptionLimits(parse_size(conf.user_storage_quota), conf.quota_counts_deleted)


def _open_enforcer(conf: cfg.ConfigOpts) -> "Enforcer":
    from oslo_limit import limit

    # oslo.limit reads only the process-wide configuration.
    cfg.CONF([], project="glance-mini", default_config_files=conf.config_file or [], default_config_dirs=[])
    return limit.Enforcer(lambda project_id, resources: dict.fromkeys(resources, 0), cache=False)
