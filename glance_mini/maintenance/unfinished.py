"""Adds jobs for uploads that have all their bytes and that nobody finishes, after a crash (api-uploads-end)."""

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Duplicate
from glance_mini.domain.job import FINISH_UPLOAD, Job, new_job
from glance_mini.domain.upload_session import UploadSession, context_of_session
from glance_mini.operations.jobs import AddJob
from glance_mini.operations.upload_sessions import TakeUnfinishedUploads

LOG = logging.getLogger(__name__)

RETRY = timedelta(minutes=10)
"""After which time an upload is looked at again."""


def resume_uploads(data: DataAccess) -> int:
    """Add a job for each upload that waits and has none, and return the number of new jobs; raises Unavailable."""
    added = 0
    for session in data.run(TakeUnfinishedUploads(RETRY)):
        with suppress(Duplicate):
            data.run(AddJob(_job(session)))
            added += 1
            LOG.info("A job finishes the upload of image %s.", session.image_id)
    return added


def _job(session: UploadSession) -> Job:
    """Return the job of a session, which has the same id each time."""
    values = {"image_id": session.image_id, "session_id": session.id}
    job = new_job(context_of_session(session), FINISH_UPLOAD, values, image_id=session.image_id)
    return replace(job, id=str(uuid5(UUID(session.id), FINISH_UPLOAD)), node_url=session.node_url)
