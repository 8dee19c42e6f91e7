"""Removes files on this node that no record refers to: leftovers of a killed process or of another node's decision.

File names are listed first and then looked up in the database. The row of data exists before its first byte, so a
name without a row never gets one. Files with names that the service does not make are kept.
"""

import logging
import re
import shutil
from contextlib import suppress
from pathlib import Path

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import NotFound
from glance_mini.domain.job import FINISHED, PROCESSING, Job
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.records import ListDataNames
from glance_mini_store.store import Store

LOG = logging.getLogger(__name__)

BATCH = 500
"""Number of names in one look-up."""

_ID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_STAGED = re.compile(rf"({_ID})-[0-9a-f]{{8}}")
_JOB = re.compile(_ID)
_ATTEMPT = re.compile(r"[0-9]+")


def sweep_staging(store: Store, data: DataAccess) -> int:
    """Remove staged data that has no row and return the number of removed names; 0 if the driver cannot list names.

    Data of an image that this service never had belongs to another service and stays. Raises StoreError, Unavailable.
    """
    matches = map(_STAGED.fullmatch, sorted(store.names() or ()))
    images = {match[0]: match[1] for match in matches if match}
    names, removed = list(images), 0
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        known = data.run(ListDataNames(frozenset(images[name] for name in batch)))
        for name in batch:
            if name not in known.get(images[name], {name}):
                LOG.warning("Removing staged data %s, which belongs to no image.", name)
                store.discard(name)
                removed += 1
    return removed


def sweep_work(directory: Path, data: DataAccess) -> int:
    """Remove the files of all attempts that are over in ``directory`` and return the number of these attempts.

    An attempt is over when its job has ended, is waiting, or is at another attempt, here or elsewhere. Raises OSError,
    Unavailable.
    """
    removed = 0
    for own in _subdirectories(directory, _JOB):
        attempts = _subdirectories(own, _ATTEMPT)
        job = _find(data, own.name)
        for attempt in attempts:
            if job is None or (job.state, job.attempts) != (PROCESSING, int(attempt.name)):
                LOG.warning("Removing the leftover files of attempt %s of job %s.", attempt.name, own.name)
                shutil.rmtree(attempt, ignore_errors=True)
                removed += 1
        if job is None or job.state in FINISHED:
            with suppress(OSError):
                own.rmdir()
    return removed


def _subdirectories(directory: Path, form: re.Pattern[str]) -> list[Path]:
    try:
        entries = list(directory.iterdir())
    except FileNotFoundError:
        return []
    return [each for each in entries if form.fullmatch(each.name) and each.is_dir() and not each.is_symlink()]


def _find(data: DataAccess, job_id: str) -> Job | None:
    try:
        return data.run(GetJob(job_id))
    except NotFound:
        return None
