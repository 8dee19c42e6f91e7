"""What ``glance-mini-status upgrade check`` looks at; each check returns its result, and changes nothing."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code, Result
from sqlalchemy.engine import make_url

from glance_mini.bootstrap import open_stores
from glance_mini.cmd.expected import EXPECTED, describe
from glance_mini.cmd.manage_database import count_locations, find_problem, is_newer
from glance_mini.conf.database import has_database, sqlite_file
from glance_mini.conf.deprecated import find_deprecated
from glance_mini.conf.staging import staging_directory
from glance_mini.conf.validation import examine
from glance_mini.db.factory import open_data_access
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.operations.records import Ping
from glance_mini.policies.enforcer import Enforcer
from glance_mini.policies.findings import find_superfluous

MINIMUM_FREE = 2**30
"""Bytes that every disk of the service should have free."""

LOCAL_FILE_SYSTEMS = frozenset(
    {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"}
)
"""Types of file systems that only one machine sees."""

_DONE = Result(Code.SUCCESS)


def check_configuration(conf: cfg.ConfigOpts) -> Result:
    """Return whether the service would start with these options; those without effect are a warning."""
    findings = examine(conf)
    if findings.problems:
        return Result(Code.FAILURE, "\n".join(findings.problems))
    return _warning(findings.warnings)


def check_deprecated_options(conf: cfg.ConfigOpts) -> Result:
    """Return whether the files have options, or names of options, that a later release will not know."""
    return _unless_unusable(lambda: _warning(find_deprecated(conf)))


def check_policies(conf: cfg.ConfigOpts) -> Result:
    """Return whether the policy files can be used; rules that can be removed from them are a warning."""

    def check() -> Result:
        Enforcer.from_config(conf)
        return _warning(find_superfluous(conf))

    return _unless_unusable(check)


def check_tables(conf: cfg.ConfigOpts) -> Result:
    """Return whether the tables are those of this release, or without a database whether a registry answers.

    A necessary migration is a warning.
    """

    def check() -> Result:
        if not has_database(conf):
            _ask_registry(conf)
            return _DONE
        problem = find_problem(conf)
        if problem is None:
            return _DONE
        return Result(Code.FAILURE if is_newer(conf) else Code.WARNING, problem)

    return _unless_unusable(check)


def check_locations(conf: cfg.ConfigOpts) -> Result:
    """Return whether every location names a store that is enabled, where several stores are configured by id."""
    return _unless_unusable(lambda: _warning(_lost_locations(conf)))


def check_staging(conf: cfg.ConfigOpts) -> Result:
    """Return whether each node finds the data that another one has staged."""
    return _unless_unusable(lambda: _warning(_unreachable_staging(conf)))


def check_disk_space(conf: cfg.ConfigOpts) -> Result:
    """Return whether the stores can be used, and the disks of the service have ``MINIMUM_FREE`` bytes free."""
    return _unless_unusable(lambda: _warning(_full_disks(conf)))


def file_system_of(path: Path) -> str | None:
    """Return the type of the file system on which ``path`` is, or would be made; None if the system does not say."""
    real = os.path.realpath(path)
    best, kind = "", None
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        place = before.split(" ")[4].encode().decode("unicode_escape")
        if len(place) >= len(best) and (real == place or real.startswith(place.rstrip("/") + "/")):
            best, kind = place, after.split(" ")[0]
    return kind


def _ask_registry(conf: cfg.ConfigOpts) -> None:
    data = open_data_access(conf)
    try:
        data.run(Ping())
    finally:
        data.close()


def _lost_locations(conf: cfg.ConfigOpts) -> Iterator[str]:
    if not conf.enabled_backends or not has_database(conf) or find_problem(conf) is not None:
        return
    for store, count in count_locations(conf).items():
        if store is None:
            yield f"Locations that name no store: {count}. The service finds their store by the address alone."
        elif store not in conf.enabled_backends:
            yield f"Locations in the store {store}, which is not enabled: {count}. Their data cannot be read."


def _unreachable_staging(conf: cfg.ConfigOpts) -> Iterator[str]:
    if not conf.enabled_import_methods:
        return
    if has_database(conf) and make_url(conf.database.connection).get_backend_name() == "sqlite":
        # A node with a database of its own has no other one beside it.
        return
    if not conf.staging_is_shared:
        if not conf.worker_self_reference_url:
            yield (
                "Each node has a staging area of its own, and this one has no address for the others: set "
                "worker_self_reference_url, or staging_is_shared if all nodes see the same area."
            )
    elif conf.staging_store_driver == "file":
        directory = staging_directory(conf)
        kind = file_system_of(Path(directory))
        if kind in LOCAL_FILE_SYSTEMS:
            yield f"staging_is_shared is set, but {directory} is on a file system ({kind}) of this machine alone."


def _full_disks(conf: cfg.ConfigOpts) -> Iterator[str]:
    free: dict[str, int] = {}
    stores = open_stores(conf)
    try:
        reserved = [stores.get(STAGING_STORE)] if conf.enabled_import_methods else []
        for store in [*stores, *reserved]:
            space = store.probe()
            if space is not None:
                free[f"the store {store.id}"] = space
    finally:
        stores.close()
    database = sqlite_file(conf.database.connection) if has_database(conf) else None
    for name, path in (("the database", database and database.parent), ("[task] work_dir", conf.task.work_dir)):
        if path and Path(path).is_dir():
            free[name] = shutil.disk_usage(path).free
    for name, space in free.items():
        if space < MINIMUM_FREE:
            yield f"Free space for {name}: {space // 2**20} MiB, less than {MINIMUM_FREE // 2**20} MiB."


def _warning(sentences: Iterable[str]) -> Result:
    """Return a warning with a line for each sentence, or success without any."""
    text = "\n".join(sentences)
    return Result(Code.WARNING, text) if text else _DONE


def _unless_unusable(check: Callable[[], Result]) -> Result:
    try:
        return check()
    except EXPECTED as error:
        return Result(Code.FAILURE, describe(error))
