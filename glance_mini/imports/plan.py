"""The plan of an import job: its request, its stores, and the names under which its attempts write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from glance_mini.domain.imports import COPY_IMAGE, ImportRequest
from glance_mini.domain.job import Job

_OWNER = "owner"
"""The key of a checkpoint for the project whose data it is, if that is not the project of the job."""


@dataclass(frozen=True)
class Plan:
    """The request and the stores of a job, and the names under which its attempts write."""

    job: Job
    request: ImportRequest
    stores: tuple[str, ...]

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the plan in the input of ``job``."""
        body = job.input["import_req"]
        stores = job.input["backend"]
        assert isinstance(body, Mapping) and isinstance(stores, Sequence)
        request = ImportRequest(
            method=body["method"],
            all_stores_must_succeed=body.get("all_stores_must_succeed", True),
            expected_hashes=body.get("expected_hash", {}),
        )
        return cls(job, request, tuple(stores))

    @property
    def owner(self) -> str | None:
        """The project to which the data belongs in stores that know projects."""
        owner = self.job.checkpoint.get(_OWNER, self.job.project_id)
        assert owner is None or isinstance(owner, str)
        return owner

    def of_owner(self, owner: str | None) -> Self:
        """Return the plan for data of the project ``owner``; its job has the checkpoint that keeps this."""
        return replace(self, job=replace(self.job, checkpoint={**self.job.checkpoint, _OWNER: owner}))

    @property
    def is_copy(self) -> bool:
        """Whether the image is active already and stays so."""
        return self.request.name == COPY_IMAGE

    @property
    def name(self) -> str:
        """The name of the data that this attempt writes."""
        return self._name(self.job.attempts)

    @property
    def names(self) -> list[str]:
        """The names of the data of all attempts."""
        return [self._name(attempt) for attempt in range(1, self.job.attempts + 1)]

    def _name(self, attempt: int) -> str:
        return f"{self.job.image_id}-{self.job.id[:8]}-{attempt}"
