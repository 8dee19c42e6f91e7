"""The sources of a project's limits: the database and the options, or Keystone's unified limits through oslo.limit.

This module does not count: the data access layer does, in the statement that reserves room (api-quotas-counting).
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain import quota
from glance_mini.domain.metadefs import MetadefLimits
from glance_mini.domain.quota import IMAGE_SIZE_DELETED, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL
from glance_mini.domain.units import parse_size
from glance_mini.operations.records import GetProjectLimits

if TYPE_CHECKING:
    from oslo_limit.limit import Enforcer

MIB = 1024 * 1024

STORED_SECONDS = 10.0
UNIFIED_SECONDS = 30.0
"""Seconds for which a process remembers the limits of a project: those in the database, and Keystone's."""

_IN_MIB = frozenset({IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL})
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """The limits of one project by resource, in bytes or counts; a missing resource has no limit.

    ``together`` maps a resource to others that count under its limit too.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    together: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class LimitSource:
    """The limits of projects; may be used by all threads.

    ``read`` returns those of one project, which are remembered for ``seconds``. It is first called at the first use and
    not at start. If it raises, so does each use: an unreadable limit never means no limit.
    """

    def __init__(
        self, read: Callable[[str], ProjectLimits], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._known: dict[str, tuple[float, ProjectLimits]] = {}
        self._reading: dict[str, Future[ProjectLimits]] = {}

    def limits_of(self, project_id: str) -> ProjectLimits:
        """Return the limits of the project; raises what ``read`` raises."""
        known = self._known.get(project_id)
        return known[1] if known and self._clock() < known[0] else self._read_together(project_id)

    def _read_together(self, project_id: str) -> ProjectLimits:
        """Read, or share the answer or error of a thread that is already reading: simultaneous requests cost one."""
        mine: Future[ProjectLimits] = Future()
        reading = self._reading.setdefault(project_id, mine)
        if reading is mine:
            try:
                mine.set_result(self._read_once(project_id))
            except BaseException as error:
                mine.set_exception(error)
            finally:
                del self._reading[project_id]
        return reading.result()

    def _read_once(self, project_id: str) -> ProjectLimits:
        # Another thread may have got the answer since this one checked.
        if (known := self._known.get(project_id)) and self._clock() < known[0]:
            return known[1]
        limits = self._read(project_id)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[project_id] = (self._clock() + self._seconds, limits)
        return limits


def stored_limits(own: Mapping[str, int], storage: int, counts_deleted: bool = True) -> ProjectLimits:
    """Return the limits of a project that has those of ``own`` in the database; -1 means no limit.

    Without an ``image_size_total`` of its own, its stored and staged bytes together have the limit ``storage`` (0: no
    limit), and with ``counts_deleted`` those of deleted images that can be restored. An ``image_stage_total`` of its
    own limits the staged bytes alone.
    """
    limits = {resource: limit for resource, limit in own.items() if limit >= 0}
    deleted = (IMAGE_SIZE_DELETED,) if counts_deleted else ()
    if IMAGE_SIZE_TOTAL in own:
        return ProjectLimits(limits, {IMAGE_SIZE_TOTAL: deleted})
    together = {}
    if storage:
        limits[IMAGE_SIZE_TOTAL] = storage
        together[IMAGE_SIZE_TOTAL] = (*deleted, IMAGE_STAGE_TOTAL)
    if storage and IMAGE_STAGE_TOTAL not in own:
        limits[IMAGE_STAGE_TOTAL] = storage
        together[IMAGE_STAGE_TOTAL] = (*deleted, IMAGE_SIZE_TOTAL)
    return ProjectLimits(limits, together)


class UnifiedLimits:
    """Reads the limits that are registered in Keystone, for ``LimitSource``.

    With ``counts_deleted`` the bytes of deleted images that can be restored count under ``image_size_total``.
    """

    def __init__(self, open_enforcer: "Callable[[], Enforcer]", counts_deleted: bool = True) -> None:
        self._together = {IMAGE_SIZE_TOTAL: (IMAGE_SIZE_DELETED,) if counts_deleted else ()}
        self._open_enforcer = open_enforcer
        self._enforcer: Enforcer | None = None
        self._lock = threading.Lock()

    def __call__(self, project_id: str) -> ProjectLimits:
        """Return the limits of the project; raises what oslo.limit raises."""
        with self._lock:
            if self._enforcer is None:
                self._enforcer = self._open_enforcer()
        found = self._enforcer.calculate_usage(project_id, list(quota.RESOURCES))
        limits = {
            resource: each.limit * (MIB if resource in _IN_MIB else 1)
            for resource, each in found.items()
            if each.limit >= 0
        }
        return ProjectLimits(limits, self._together)


def limit_source(conf: cfg.ConfigOpts, data: DataAccess) -> LimitSource:
    """Return the source that ``use_keystone_limits`` chooses; ``data`` holds the limits otherwise."""
    counts_deleted = conf.quota_counts_deleted
    if conf.use_keystone_limits:
        return LimitSource(UnifiedLimits(lambda: _open_enforcer(conf), counts_deleted), UNIFIED_SECONDS)
    storage = parse_size(conf.user_storage_quota)
    return LimitSource(
        lambda project_id: stored_limits(data.run(GetProjectLimits(project_id)), storage, counts_deleted),
        STORED_SECONDS,
    )


def metadef_limits(conf: cfg.ConfigOpts) -> MetadefLimits:
    """Return the limits of metadata definitions that ``[metadefs]`` sets."""
    limits = {field.name: conf.metadefs[f"max_{field.name}"] for field in fields(MetadefLimits)}
    return MetadefLimits(**{name: None if limit < 0 else limit for name, limit in limits.items()})


def _open_enforcer(conf: cfg.ConfigOpts) -> "Enforcer":
    from oslo_limit import limit

    # oslo.limit reads only the process-wide configuration.
    files, directories = conf.config_file or [], conf.config_dir or []
    cfg.CONF([], project="glance-mini", default_config_files=files, default_config_dirs=directories)
    return limit.Enforcer(lambda project_id, resources: dict.fromkeys(resources, 0), cache=False)
