"""One bucket of an S3 service: the calls that the driver makes, each with its parameters.

They raise what boto3 raises; ``failures`` reads it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from glance_mini_store.drivers.s3.failures import Failures
from glance_mini_store.drivers.s3.library import Call, Entry, Reply, S3Client

_MARK = "glance-mini-write"
"""Metadata of an object: which write it comes from."""

_CONTENT_TYPE = "application/octet-stream"
_DEFAULT_REGION = "us-east-1"

Data = bytes | bytearray | BinaryIO
"""What is sent at once; a file is sent from its start."""


@dataclass(frozen=True)
class Bucket:
    """The bucket ``name`` through ``client``; ``encryption`` are parameters of every call that makes an object."""

    client: S3Client
    name: str
    failures: Failures
    region: str = _DEFAULT_REGION
    encryption: Mapping[str, str] = field(default_factory=dict)

    def head(self, key: str) -> Reply | None:
        """Return size, ETag and metadata of an object; None if there is none."""
        try:
            return self.client.head_object(Bucket=self.name, Key=key)
        except self.failures.types as error:
            if self.failures.of(error).is_missing:
                return None
            raise

    def get(self, key: str, start: int, end: int | None, etag: str | None) -> Reply:
        """Return the bytes from ``start`` before ``end`` (None: to the last) of the object that has ``etag``."""
        parameters = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        if etag:
            parameters["IfMatch"] = etag
        return self.client.get_object(Bucket=self.name, Key=key, **parameters)

    def presigned_url(self, key: str, seconds: int) -> str:
        """Return a URL by which anybody reads an object for ``seconds``."""
        return self.client.generate_presigned_url("get_object", {"Bucket": self.name, "Key": key}, seconds)

    def presigned_upload(self, key: str, seconds: int, size: int) -> str:
        """Return a URL to which anybody sends an object of exactly ``size`` bytes for ``seconds``.

        The signature covers the length and the absence of all headers of S3, so that no other object can be copied.
        """
        parameters = {"Bucket": self.name, "Key": key, "ContentLength": size}
        return self.client.generate_presigned_url("put_object", parameters, seconds)

    def copy(self, source: str, key: str, etag: str, mark: str) -> None:
        """Make an object of the bytes of ``source``, which has ``etag``."""
        self.client.copy_object(
            Bucket=self.name,
            Key=key,
            CopySource={"Bucket": self.name, "Key": source},
            CopySourceIfMatch=etag,
            MetadataDirective="REPLACE",
            Metadata={_MARK: mark},
            ContentType=_CONTENT_TYPE,
            **self.encryption,
        )

    def put(self, key: str, data: Data, mark: str) -> None:
        """Make an object at once, unless there is one."""
        parameters = {"Body": data, "Metadata": {_MARK: mark}, "ContentType": _CONTENT_TYPE, **self.encryption}
        self._make(self.client.put_object, {"Key": key, **parameters})

    def begin(self, key: str, mark: str) -> str:
        """Begin an object in parts and return the id of the upload."""
        parameters = {"Metadata": {_MARK: mark}, "ContentType": _CONTENT_TYPE, **self.encryption}
        return self.client.create_multipart_upload(Bucket=self.name, Key=key, **parameters)["UploadId"]

    def send(self, key: str, upload: str, number: int, data: Data) -> str:
        """Send a part and return its ETag."""
        reply = self.client.upload_part(Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=data)
        return reply["ETag"]

    def complete(self, key: str, upload: str, etags: Sequence[str]) -> None:
        """Make the object of its parts, unless there is one."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        parameters = {"Key": key, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
        self._make(self.client.complete_multipart_upload, parameters)

    def abort(self, key: str, upload: str) -> None:
        """Remove an unfinished upload and its parts; no error if there is none."""
        try:
            self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)
        except self.failures.types as error:
            failure = self.failures.of(error)
            if not failure.is_missing_upload and not failure.is_missing:
                raise

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all objects."""
        return (entry["Key"] for entry in self.entries())

    def entries(self) -> Iterator[Entry]:
        """Yield what the service tells of all objects, page by page."""
        parameters: dict[str, str] = {}
        while True:
            page = self.client.list_objects_v2(Bucket=self.name, **parameters)
            yield from page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            parameters = {"ContinuationToken": page["NextContinuationToken"]}

    def uploads(self, prefix: str = "") -> Iterator[Entry]:
        """Yield key and id of all unfinished uploads whose keys begin with ``prefix``."""
        parameters = {"Prefix": prefix}
        while True:
            page = self.client.list_multipart_uploads(Bucket=self.name, **parameters)
            yield from page.get("Uploads", [])
            if not page.get("IsTruncated"):
                return
            parameters |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def check(self) -> None:
        """Ask for the bucket itself."""
        self.client.head_bucket(Bucket=self.name)

    def create(self) -> None:
        """Make the bucket; no error if another process makes it at the same time."""
        parameters = {}
        if self.region != _DEFAULT_REGION:
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": self.region}
        try:
            self.client.create_bucket(Bucket=self.name, **parameters)
        except self.failures.types as error:
            if not self.failures.of(error).is_own_bucket:
                raise

    def _make(self, call: Call, parameters: Mapping[str, object]) -> None:
        try:
            call(Bucket=self.name, IfNoneMatch="*", **parameters)
        except self.failures.types as error:
            if not self.failures.of(error).is_unknown_condition:
                raise
            call(Bucket=self.name, **parameters)


def is_of_write(reply: Reply, mark: str) -> bool:
    """Return whether the object comes from the write with ``mark``."""
    return reply.get("Metadata", {}).get(_MARK) == mark
