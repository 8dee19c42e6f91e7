"""Finds objects in a store that no image knows.

The row of data exists before its first byte in an upload, and imports write while their job goes on; so an object that
was listed before these rows are read, and that they do not name, belongs to nothing.
"""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from glance_mini.db.interface import DataAccess
from glance_mini.domain.job import PENDING, PROCESSING, JobQuery
from glance_mini.operations.tasks import ListTasks
from glance_mini.operations.verification import FindData
from glance_mini_store.driver import StoredObject
from glance_mini_store.store import Store

BATCH = 500
"""Objects in one look-up."""

_HEX = "[0-9a-f]"
_ID = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_OWN = re.compile(rf"({_ID})(?:-{_HEX}{{8}}(?:-[0-9]+)?|-{_ID})?")
"""The names that the service gives to data, with the id of the image. Segments of others have other names."""


@dataclass(frozen=True)
class UnknownObject:
    """An object that no image knows; ``keep`` says in a sentence why it must stay, None if it may be deleted."""

    found: StoredObject
    image_id: str | None
    keep: str | None


def find_unknown(
    data: DataAccess, store: Store, safe_age: float, check: Callable[[], object], clock: Callable[[], float] = time.time
) -> Iterator[UnknownObject]:
    """Yield the objects in ``store`` that no image knows; ``check`` is called for every batch and may raise.

    Raises what ``Store.list_objects`` raises, and Unavailable.
    """
    listed = store.list_objects()
    while batch := list(itertools.islice(listed, BATCH)):
        check()
        owners = {each.location: _image_of(each.name) for each in batch}
        foreign = frozenset(location for location, owner in owners.items() if owner is None)
        known = data.run(FindData(frozenset(filter(None, owners.values())), foreign))
        for each in batch:
            owner = owners[each.location]
            if not _is_known(each, known.get(owner or "", frozenset())) and not _is_worked_on(data, owner):
                yield UnknownObject(each, owner, _why_kept(each, owner, known, safe_age, clock()))


def is_still_unknown(data: DataAccess, unknown: UnknownObject) -> bool:
    """Return whether no image knows the object now."""
    owner = unknown.image_id or ""
    known = data.run(FindData(frozenset({owner}))).get(owner, frozenset())
    return not _is_known(unknown.found, known) and not _is_worked_on(data, owner)


def _image_of(name: str) -> str | None:
    match = _OWN.fullmatch(name)
    return match[1] if match else None


def _is_known(found: StoredObject, known: frozenset[str]) -> bool:
    return found.location in known or any(found.name in value.split("/") for value in known)


def _is_worked_on(data: DataAccess, image_id: str | None) -> bool:
    """Return whether a job of the image has not ended, which may be writing."""
    if image_id is None:
        return False
    queries = (JobQuery(kinds=(), state=state, image_id=image_id, limit=1) for state in (PENDING, PROCESSING))
    return any(data.run(ListTasks(query)).jobs for query in queries)


def _why_kept(
    found: StoredObject, owner: str | None, known: dict[str, frozenset[str]], safe_age: float, now: float
) -> str | None:
    if owner is None:
        return "It has no name that this service gives."
    if owner not in known:
        return "It is named after an image that this service never had."
    if found.changed_at is None:
        return "Its age is not known."
    if now - found.changed_at < safe_age:
        return "It is younger than safe_age."
    return None
