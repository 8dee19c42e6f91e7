"""Turns failures of boto3 into the errors of this package; their texts hold no text of the service, and no secret."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from glance_mini_store import errors
from glance_mini_store.drivers.s3.library import Library

_FULL = {"EntityTooLarge", "InsufficientCapacity", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}
_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_REFUSED = {401, 403}
_PRECONDITION_FAILED, _NOT_IMPLEMENTED, _NO_RANGE, _FULL_STATUS = 412, 501, 416, 507


@dataclass(frozen=True)
class Failure:
    """A failed call: the status of the answer (0: none came) and its error code, or what happened instead."""

    status: int
    code: str

    @property
    def is_missing(self) -> bool:
        """Return whether the object, or its bucket, does not exist."""
        return self.code in _MISSING

    @property
    def is_missing_bucket(self) -> bool:
        """Return whether the service says that the bucket does not exist; answers to HEAD do not say it."""
        return self.code == "NoSuchBucket"

    @property
    def is_missing_upload(self) -> bool:
        """Return whether the multipart upload does not exist: it was completed or aborted."""
        return self.code == "NoSuchUpload"

    @property
    def is_own_bucket(self) -> bool:
        """Return whether a bucket is not created because it exists and belongs to the same user."""
        return self.code == "BucketAlreadyOwnedByYou"

    @property
    def is_refused(self) -> bool:
        """Return whether the credentials do not permit the call."""
        return self.status in _REFUSED

    @property
    def is_full(self) -> bool:
        """Return whether a quota or the size limit of the service would be passed."""
        return self.code in _FULL or self.status == _FULL_STATUS

    @property
    def is_taken(self) -> bool:
        """Return whether a condition of the request is not met."""
        return self.status == _PRECONDITION_FAILED

    @property
    def is_unknown_condition(self) -> bool:
        """Return whether the service does not know the condition of the request."""
        return self.status == _NOT_IMPLEMENTED

    @property
    def is_outside(self) -> bool:
        """Return whether the range begins behind the object."""
        return self.status == _NO_RANGE

    @property
    def reason(self) -> str:
        """Return what happened, for people."""
        return f"the S3 service answered {self.status} {self.code}" if self.status else self.code


class Failures:
    """Reads the exceptions of ``library``."""

    def __init__(self, library: Library) -> None:
        self._library = library

    @property
    def types(self) -> tuple[type[Exception], ...]:
        """Return the exceptions that calls raise."""
        return self._library.failures

    def of(self, error: Exception) -> Failure:
        """Return what ``error`` tells."""
        if isinstance(error, self._library.service_failure):
            response: dict[str, dict[str, object]] = vars(error)["response"]
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = "".join(letter for letter in str(response.get("Error", {}).get("Code", "")) if letter.isalnum())
            return Failure(status if isinstance(status, int) else 500, code[:60])
        if isinstance(error, self._library.time_outs):
            return Failure(0, "the S3 service did not answer in time")
        return Failure(0, f"no connection to the S3 service, or it broke off ({type(error).__name__})")

    @contextlib.contextmanager
    def reading(self, location: str) -> Iterator[None]:
        """Raise the error of a failed call that concerns ``location``.

        That is NotFound, Forbidden, DataChanged or RemoteServiceUnavailable.
        """
        try:
            yield
        except self.types as error:
            failure = self.of(error)
            if failure.is_missing:
                raise errors.NotFound(location=location) from error
            if failure.is_refused:
                raise errors.Forbidden(location=location) from error
            if failure.is_taken:
                raise errors.DataChanged(location=location) from error
            raise errors.RemoteServiceUnavailable(reason=failure.reason) from error

    def of_write(self, error: Exception) -> errors.StoreError:
        """Return StorageFull, StorageWriteDenied or RemoteServiceUnavailable for a failed call of a write."""
        failure = self.of(error)
        if failure.is_full:
            return errors.StorageFull(reason=failure.reason)
        if failure.is_missing_bucket or failure.is_refused:
            return errors.StorageWriteDenied(reason=failure.reason)
        return errors.RemoteServiceUnavailable(reason=failure.reason)
