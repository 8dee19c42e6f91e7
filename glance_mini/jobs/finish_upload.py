"""Finishes an upload whose bytes are all there, because its request did not (api-uploads-end).

It may be restarted at any point: an image that got its data meanwhile ends it, and an upload that a dead worker has
begun is undone by the reaper before the next attempt can begin.
"""

from collections.abc import Mapping
from typing import Self

from oslo_config import cfg

from glance_mini.domain.errors import NotFound
from glance_mini.domain.job import FINISH_UPLOAD, Job
from glance_mini.imports.resumed import REFUSALS, ResumedUploads, may_pass
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.upload_sessions import GetUploadSession
from glance_mini.workers.base import Control, JobFailed, JobType, context_of


class FinishUploadJob(JobType):
    """Uploads the bytes of one session."""

    kind = FINISH_UPLOAD

    def __init__(self, stack: Stack, uploads: ResumedUploads) -> None:
        self._stack = stack
        self._uploads = uploads

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        return cls(stack, ResumedUploads(stack, services.stores, services.buffers))

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        caller, result = context_of(job), {"image_id": job.image_id}
        wanted = GetUploadSession(str(job.image_id), None, str(job.input["session_id"]))
        try:
            session = self._stack.call(caller, wanted)
        except NotFound:
            # The request, or another attempt, has ended it.
            return result
        if session.is_finished:
            return result
        control.check()
        try:
            self._uploads.finish(caller, session)
        except REFUSALS as error:
            if may_pass(error):
                raise
            raise JobFailed(reason=str(error)) from error
        return result
