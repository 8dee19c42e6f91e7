"""Removes files on this node that nobody knows of any more: what a killed process or another node has given up.

Names are listed first and asked for in the database then. Whatever begins to be written has its row before its first
byte, so a name that is not known then never will be. What has another form than the service's own names is left alone.
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
"""Names that are asked for at once."""

_ID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_STAGED = re.compile(rf"({_ID})-[0-9a-f]{{8}}")
_JOB = re.compile(_ID)
_ATTEMPT = re.compile(r"[0-9]+")


def sweep_staging(store: Store, data: DataAccess) -> int:
    """Remove staged data that no row knows, where the driver can tell what there is; returns how much there was.

    Data of an image that this service has never had is another one's. Raises StoreError, Unavailable.
    """
    matches = map(_STAGED.fullmatch, sorted(store.names() or ()))
    images = {match[0]: match[1] for match in matches if match}
    names, removed = list(images), 0
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        known = data.run(ListDataNames(frozenset(images[name] for name in batch)))
        for name in batch:
            if name not in known.get(images[name], {name}):
                LOG.warning("Staged data %s belongs to no image and is removed.", name)
                store.discard(name)
                removed += 1
    return removed


def sweep_work(directory: Path, data: DataAccess) -> int:
    """Remove the files of attempts that are over, of all jobs in ``directory``; returns how many attempts there were.

    An attempt is over when its job has ended, waits, or is at another attempt, here or elsewhere. Raises OSError,
    Unavailable.
    """
    removed = 0
    for own in _subdirectories(directory, _JOB):
        attempts = _subdirectories(own, _ATTEMPT)
        job = _find(data, own.name)
        for attempt in attempts:
            if job is None or (job.state, job.attempts) != (PROCESSING, int(attempt.name)):
                LOG.warning("The files of attempt %s of job %s are left over and are removed.", attempt.name, own.name)
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
