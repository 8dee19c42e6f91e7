"""Reads the data of a location that was added by its URL, to compute or verify its hashes (api-locations-add)."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from oslo_config import cfg

from glance_mini.content.failover import store_of
from glance_mini.content.hashes import ImageHashes
from glance_mini.domain.errors import Gone, NotFound
from glance_mini.domain.image import ADDED_BY, OPERATOR, Image, Location
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import Job
from glance_mini.domain.transfer import StoredData
from glance_mini.layers.location.locations import is_trusted
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.records import EndImport, LoadImage, RecordImport
from glance_mini.workers.base import Control, JobFailed, JobType, context_of
from glance_mini.workers.progress import REPORT_SECONDS, Progress
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import TRANSFER, Buffers
from glance_mini_store.stores import Stores
from glance_mini_store.streams import close


class LocationJob(JobType):
    """Hashes the data of one location.

    If the user gave a hash, success makes the image active; else the image is active already and gets its hashes.
    """

    kind = "location_import"

    def __init__(
        self,
        stack: Stack,
        stores: Stores,
        hashes: ImageHashes,
        max_attempts: int = 3,
        buffers: Buffers | None = None,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        """``max_attempts`` limits how often the data is read after errors; ``report_seconds`` as for Progress."""
        self.max_attempts = max_attempts
        self._stack = stack
        self._stores = stores
        self._hashes = hashes
        self._buffers = buffers or Buffers()
        self._report_seconds = report_seconds

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services, stack: Stack) -> Self:
        return cls(stack, services.stores, ImageHashes.from_config(conf), max(1, conf.http_retries), services.buffers)

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        image = self._load(job)
        location = self._location(job, image, str(job.input["loc_url"]))
        claim = job.input["validation_data"]
        assert isinstance(claim, Mapping)
        progress = Progress(control, "Read", image.size, self._report_seconds)
        with self._buffers.share(TRANSFER, control.check):
            hashes = replace(self._hashes, algorithm=claim.get("os_hash_algo", self._hashes.algorithm))
            data = self._read(location, image.size, hashes, progress)
        if claim and not hmac.compare_digest(str(data.os_hash_value), str(claim["os_hash_value"]).lower()):
            raise JobFailed(reason=f"The {data.os_hash_algo} of the data is not the one that was given.")
        caller = context_of(job)
        self._stack.call(caller, RecordImport(job, data, {}, None if image.status == "active" else "active"))
        self._stack.call(caller, EndImport(job, {TASK_PROPERTY: None}))
        return {"image_id": job.image_id}

    def give_up(self, job: Job, reason: str) -> None:
        """Unlock the image; an image that is not active yet loses the location and is queued again."""
        try:
            image = self._load(job)
            if image.status == "importing":
                end = EndImport(job, {TASK_PROPERTY: None}, "queued", (str(job.input["loc_url"]),))
            else:
                end = EndImport(job, {TASK_PROPERTY: None})
            self._stack.call(context_of(job), end)
        except (Gone, NotFound):
            return

    def _location(self, job: Job, image: Image, url: str) -> Location:
        """Return the location at ``url``: that of an active image, or a new one for an importing image."""
        for each in image.locations:
            if each.url == url:
                return each
        if image.status != "importing":
            raise JobFailed(reason="The location was removed from the image.")
        if (known := job.input.get("metadata")) is not None:
            assert isinstance(known, Mapping)
            return Location(url, known)
        metadata = {"store": self._stores.for_location(url).id} if self._stores.multi else {}
        if is_trusted(context_of(job)):
            metadata[ADDED_BY] = OPERATOR
        return Location(url, metadata)

    def _load(self, job: Job) -> Image:
        return self._stack.call(context_of(job), LoadImage(str(job.image_id), purpose="add_location"))

    def _read(self, location: Location, size: int | None, hashes: ImageHashes, progress: Progress) -> StoredData:
        """Return size and hashes of the data, which is read once; raises JobFailed, or a store error that may pass.

        ``size`` is the size of the image, None if it is not known yet. Reading stops after the announced size.
        """
        store = store_of(self._stores, location)
        try:
            announced = store.size(location.url) if size is None else size
            digests = self._hash(store.read(location.url), announced, hashes, progress)
        except store_errors.NotFound as error:
            raise JobFailed(reason="There is no data at the location.") from error
        except store_errors.DataChanged as error:
            raise JobFailed(reason="The data at the location was replaced by other data.") from error
        except (store_errors.AddressRefused, store_errors.FetchRefused) as error:
            raise JobFailed(reason=str(error)) from error
        return StoredData(location, announced, None, **hashes.values(digests))

    def _hash(self, chunks: Iterator[bytes], size: int, hashes: ImageHashes, progress: Progress) -> dict[str, str]:
        """Return the digests of ``size`` bytes by algorithm; JobFailed if there are more or fewer."""
        found = {name: hashlib.new(name, usedforsecurity=False) for name in hashes.algorithms}
        received = 0
        with ExitStack() as ending:
            ending.callback(close, chunks)
            for block in progress.watch(chunks):
                received += len(block)
                if received > size:
                    break
                for each in found.values():
                    each.update(block)
        if received != size:
            more = "more" if received > size else "fewer"
            raise JobFailed(reason=f"The location has {more} than the {size} bytes that were announced.")
        return {name: each.hexdigest() for name, each in found.items()}
