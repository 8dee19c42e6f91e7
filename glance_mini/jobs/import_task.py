"""The task ``import`` as a job: creates an image as its user and imports the data (api-tasks).

The image is created once, even if the job is restarted: its id is recorded first. A failed task leaves no image.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from oslo_config import cfg

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Duplicate, GlanceMiniError, NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.image_values import split_values
from glance_mini.domain.import_task import KIND, description_of, source_of
from glance_mini.domain.imports import TASK_PROPERTY, WEB_DOWNLOAD, ImportRequest
from glance_mini.domain.job import Job
from glance_mini.imports.methods import ImportMethod, WebDownload
from glance_mini.imports.plan import Plan
from glance_mini.jobs.import_image import FINAL, ImportJob
from glance_mini.layers.services import Services
from glance_mini.operations.images import CreateImage, DeleteImage, UpdateImage
from glance_mini.operations.imports import ImportImage
from glance_mini.operations.records import LoadImage
from glance_mini.workers.base import Control, JobFailed, context_of

LOG = logging.getLogger(__name__)

_IMAGE = "image_id"
"""The key of a checkpoint for the id of the image."""


class ImportTask(ImportJob):
    """Creates an image and imports its data by web-download."""

    kind = KIND

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        try:
            job = self._with_image(job, control)
        except FINAL as error:
            raise JobFailed(reason=str(error)) from error
        return super().run(job, control)

    def give_up(self, job: Job, reason: str) -> None:
        """Undo the import and remove the image, unless it got data from elsewhere."""
        image_id = job.checkpoint.get(_IMAGE)
        if image_id is None:
            return
        job = replace(job, image_id=str(image_id))
        super().give_up(job, reason)
        try:
            self._remove_image(job)
        except NotFound:
            return

    @classmethod
    def _load_methods(cls, conf: cfg.ConfigOpts, services: Services) -> Mapping[str, ImportMethod]:
        # Tasks may use web-download even if it is not enabled for import requests.
        return {WEB_DOWNLOAD: WebDownload.from_config(conf, services)}

    def _plan(self, job: Job) -> Plan:
        return Plan(job, self._request(job), self._stores_of(job))

    def _request(self, job: Job) -> ImportRequest:
        return ImportRequest({"name": WEB_DOWNLOAD, "uri": source_of(job.input)}, stores=self._stores_of(job))

    def _stores_of(self, job: Job) -> tuple[str, ...]:
        return job.stores or (self._stores.default.id,)

    def _with_image(self, job: Job, control: Control) -> Job:
        """Return ``job`` with its image, which exists and is locked by the job unless the import has ended."""
        image_id = job.checkpoint.get(_IMAGE)
        if image_id is None:
            # No one else knows this id, so an image that has it later was created by this job.
            image_id = str(uuid4())
            noted = {**job.checkpoint, _IMAGE: image_id}
            control.checkpoint(noted)
            job = replace(job, checkpoint=noted)
        job, caller = replace(job, image_id=str(image_id)), context_of(job)
        image = self._find(caller, job) or self._create(caller, job)
        if image.status == "queued" and TASK_PROPERTY not in image.properties:
            self._stack.call(caller, ImportImage(image.id, request=self._request(job), job=job))
        return job

    def _find(self, caller: Context, job: Job) -> Image | None:
        try:
            return self._load(caller, job)
        except NotFound:
            return None

    def _create(self, caller: Context, job: Job) -> Image:
        base, properties = split_values(description_of(job.input))
        try:
            image = self._stack.call(caller, CreateImage(id=str(job.image_id), base=base, properties=properties))
        except Duplicate as error:
            # Created a moment ago by a worker that has lost the job, or created and deleted since.
            if found := self._find(caller, job):
                return found
            raise JobFailed(reason="The image was deleted.") from error
        return image

    def _remove_image(self, job: Job) -> None:
        service = _service(job)
        image = self._stack.call(service, LoadImage(str(job.image_id)))
        if image.status != "queued" or TASK_PROPERTY in image.properties:
            return
        try:
            if image.protected:
                change = PropertyChange("replace", "protected", False)
                self._stack.call(service, UpdateImage(image.id, changes=(change,)))
            self._stack.call(service, DeleteImage(image.id))
        except NotFound:
            raise
        except GlanceMiniError as error:
            LOG.warning("Image %s of failed task %s could not be removed: %s", image.id, job.id, error)


def _service(job: Job) -> Context:
    """Return the service itself as the caller, for operations that the user of ``job`` did not request."""
    caller = context_of(job)
    return replace(caller, is_admin=True, roles=tuple(dict.fromkeys((*caller.roles, "admin"))))
