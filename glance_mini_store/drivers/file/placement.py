"""Chooses the directory of a file store for the next file, and parses the options of the directories.

It does not write data.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from glance_mini_store import errors


class _Mount(TypedDict):
    id: str
    mountpoint: str


@dataclass(frozen=True)
class Directory:
    """A directory for data; ``metadata`` is added to the locations in it."""

    path: str
    priority: int = 0
    metadata: dict[str, object] = field(default_factory=dict)

    def free(self) -> int:
        """Return how many bytes this process can still write there. Raises OSError."""
        state = os.statvfs(self.path)
        return state.f_bavail * state.f_frsize


def choose(directories: Sequence[Directory], size: int | None) -> Directory:
    """Return the directory for ``size`` bytes (None: unknown, any free space is enough).

    It has the highest priority and, with equal priorities, the most room. Raises StorageFull, OSError.
    """
    needed = 1 if size is None else size
    free = {directory.path: directory.free() for directory in directories}
    room = [directory for directory in directories if free[directory.path] >= needed]
    if not room:
        raise errors.StorageFull(reason=f"{needed} bytes wanted, {max(free.values())} bytes free")
    return max(room, key=lambda directory: (directory.priority, free[directory.path]))


def directories_from(single: str | None, several: Sequence[str], metadata_file: str | None) -> list[Directory]:
    """Return the directories that the options name. Raises BadStoreConfiguration."""
    if single and several:
        raise errors.BadStoreConfiguration(
            option="filesystem_store_datadirs", reason="it excludes filesystem_store_datadir; set one of them"
        )
    mounts = _mounts(metadata_file) if metadata_file else []
    pairs = [(single, 0)] if single else [_with_priority(item) for item in several]
    directories = [_directory(path, priority, mounts) for path, priority in pairs]
    if len({directory.path for directory in directories}) != len(directories):
        raise errors.BadStoreConfiguration(option="filesystem_store_datadirs", reason="a directory is named twice")
    return directories


def _with_priority(item: str) -> tuple[str, int]:
    """Return path and priority of ``path`` or ``path:priority``."""
    path, colon, priority = item.rpartition(":")
    if not colon:
        return item, 0
    try:
        return path, int(priority)
    except ValueError:
        raise errors.BadStoreConfiguration(
            option="filesystem_store_datadirs", reason=f"the priority in {item!r} is not a number"
        ) from None


def _directory(path: str, priority: int, mounts: Sequence[_Mount]) -> Directory:
    if not os.path.isabs(path):
        raise errors.BadStoreConfiguration(
            option="filesystem_store_datadir", reason=f"{path!r} is not an absolute path"
        )
    path = os.path.normpath(path)
    for mount in mounts:
        if os.path.commonpath([path, mount["mountpoint"]]) == os.path.normpath(mount["mountpoint"]):
            return Directory(path, priority, dict(mount))
    return Directory(path, priority)


def _mounts(path: str) -> list[_Mount]:
    """Return the objects of the metadata file, each with ``id`` and an absolute ``mountpoint``."""
    option = "filesystem_store_metadata_file"
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError) as error:
        raise errors.BadStoreConfiguration(option=option, reason=f"{path} cannot be read: {error}") from error
    mounts = content if isinstance(content, list) else [content]
    for mount in mounts:
        if not _is_mount(mount):
            reason = f"{path} must hold objects with the strings 'id' and 'mountpoint' (an absolute path)"
            raise errors.BadStoreConfiguration(option=option, reason=reason)
    return mounts


def _is_mount(mount: object) -> bool:
    return (
        isinstance(mount, dict)
        and isinstance(mount.get("id"), str)
        and os.path.isabs(str(mount.get("mountpoint", "")))
        and _is_metadata(mount)
    )


def _is_metadata(value: object) -> bool:
    """Return whether ``value`` consists of strings, lists and objects only, as location metadata must."""
    if isinstance(value, dict):
        return all(_is_metadata(item) for item in value.values())
    if isinstance(value, list):
        return all(_is_metadata(item) for item in value)
    return isinstance(value, str)
