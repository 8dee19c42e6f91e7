"""The ``s3`` driver: an object for each write, in one bucket of a service that speaks the S3 API."""

import copy
import logging
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.driver import Driver, StoredObject, UserData, Written
from glance_mini_store.drivers.s3.bucket import Bucket
from glance_mini_store.drivers.s3.clients import Clients, Credentials, Settings
from glance_mini_store.drivers.s3.endpoint import Endpoint
from glance_mini_store.drivers.s3.exclusion import NamesInWork
from glance_mini_store.drivers.s3.failures import Failures
from glance_mini_store.drivers.s3.library import Library
from glance_mini_store.drivers.s3.options import OPTIONS
from glance_mini_store.drivers.s3.parts import LARGEST_PART
from glance_mini_store.drivers.s3.reading import open_range
from glance_mini_store.drivers.s3.unsigned import UnsignedHeaders
from glance_mini_store.drivers.s3.user_objects import UserObjects
from glance_mini_store.drivers.s3.writing import Limits, Writing
from glance_mini_store.lanes import Chunk
from glance_mini_store.locations.s3 import S3Location
from glance_mini_store.names import check_name, is_name
from glance_mini_store.ranges import RangeMemory

LOG = logging.getLogger(__name__)

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_WHEN_REQUIRED = "when_required"


class S3Driver(Driver):
    """Keeps objects in ``bucket`` of ``endpoint``; the key of an object is the name of its write.

    ``encryption`` are the parameters by which the service is asked to encrypt new objects. ``public_endpoint`` is the
    address of the service for clients of this one, None if it is the same. ``user_objects`` are those that users may
    name as the data of images, None if they may name none.
    """

    type = "s3"
    schemes = S3Location.schemes
    capabilities = frozenset(
        {
            capabilities.READ,
            capabilities.WRITE,
            capabilities.DELETE,
            capabilities.RANGE,
            capabilities.PRESIGN,
            capabilities.LIST,
            capabilities.UPLOAD,
        }
    )
    options = OPTIONS

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        bucket: str,
        *,
        settings: Settings,
        limits: Limits,
        creates_bucket: bool = False,
        encryption: Mapping[str, str] | None = None,
        public_endpoint: Endpoint | None = None,
        user_objects: UserObjects | None = None,
    ) -> None:
        library = Library()
        self._failures = Failures(library)
        self._clients = Clients(library, settings)
        self._endpoint = endpoint
        self._credentials = credentials
        self._bucket_name = bucket
        self._settings = settings
        self._limits = limits
        self._creates_bucket = creates_bucket
        self._encryption = dict(encryption or {})
        self._public_endpoint = public_endpoint or endpoint
        self._user_objects = user_objects
        self._caller = Caller()
        self._version: str | None = None
        self._unsigned = UnsignedHeaders(settings.cacert, settings.read_timeout)
        self._in_work = NamesInWork()
        self._buffers = Buffers()

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver with the configured settings; see ``Driver.from_config``."""
        endpoint, bucket = Endpoint.from_option(_required(settings, "s3_store_host")), _bucket_name(settings)
        template: str | None = settings.s3_store_user_locations
        return cls(
            endpoint,
            Credentials(
                _required(settings, "s3_store_access_key"),
                _required(settings, "s3_store_secret_key"),
                settings.s3_store_session_token or None,
            ),
            bucket,
            settings=_client_settings(settings),
            limits=Limits(
                settings.s3_store_large_object_size,
                settings.s3_store_large_object_chunk_size,
                settings.s3_store_thread_pools,
                settings.s3_store_read_ranges,
            ),
            creates_bucket=settings.s3_store_create_bucket_on_put,
            encryption=_encryption(settings),
            public_endpoint=_public_endpoint(settings),
            user_objects=UserObjects.from_option(endpoint, template, bucket) if template else None,
        )

    def use_buffers(self, buffers: Buffers) -> None:
        """Borrow the memory of parts from ``buffers``."""
        self._buffers = buffers

    def for_caller(self, caller: Caller) -> Self:
        """Return this driver for the objects of the caller's project."""
        other = copy.copy(self)
        other._caller = caller
        return other

    def pinned(self, version: str) -> Self:
        """Return this driver for an object that must have the ETag ``version``."""
        other = copy.copy(self)
        other._version = version
        return other

    def user_data(self, location: str) -> UserData | None:
        """Return size and ETag of an object where the operator lets the caller's project keep some; see ``Driver``."""
        if self._user_objects is None or (found := self._user_objects.find(location)) is None:
            return None
        own = self._user_objects.of_project(self._caller.project_id)
        if own is None or not "/".join(found).startswith(own):
            raise errors.Invalid(reason=f"the objects of your project are those below {own or 'no bucket'}")
        bucket, key = self._find(location)
        with self._failures.reading(location):
            reply = bucket.head(key)
        if reply is None:
            raise errors.NotFound(location=location)
        if not (etag := reply.get("ETag")):
            raise errors.Invalid(
                reason="the S3 service tells no ETag, so it would not be noticed if the object changed"
            )
        return UserData(reply["ContentLength"], etag)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the bucket as URIs of all schemes, and the schemes alone for locations with credentials."""
        own = tuple(f"{scheme}://{self._endpoint.host}/{self._bucket_name}/" for scheme in self.schemes)
        return own + (self._user_objects.prefixes if self._user_objects else ()) + super().prefixes

    def check(self) -> None:
        """Look for the bucket. Raises BadStoreConfiguration for a missing one or wrong keys."""
        bucket = self._own_bucket()
        try:
            bucket.check()
        except self._failures.types as error:
            failure = self._failures.of(error)
            if failure.is_missing and not self._creates_bucket:
                reason = f"there is no bucket {self._bucket_name!r}, and s3_store_create_bucket_on_put is not set"
                raise errors.BadStoreConfiguration(option="s3_store_bucket", reason=reason) from error
            if failure.is_refused:
                reason = f"the S3 service refuses it, or does not let it use the bucket {self._bucket_name!r}"
                raise errors.BadStoreConfiguration(option="s3_store_access_key", reason=reason) from error
            if not failure.is_missing:
                raise errors.RemoteServiceUnavailable(reason=failure.reason) from error

    def probe(self) -> int | None:
        """Look for the bucket and return None; S3 services do not tell how much is free."""
        try:
            self._own_bucket().check()
        except self._failures.types as error:
            failure = self._failures.of(error)
            if not (failure.is_missing and self._creates_bucket):
                raise errors.RemoteServiceUnavailable(reason=failure.reason) from error
        return None

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write a new object; see ``writing``."""
        check_name(name)
        location = self._endpoint.location(self._bucket_name, name)
        with self._in_work.holding(name) as is_free:
            if not is_free:
                raise errors.Duplicate(location=location)
            writing = Writing(self._own_bucket(), name, location, self._limits, self._buffers, self._creates_bucket)
            return Written(location, writing.write(chunks, size))

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes; a broken connection is resumed at its offset."""
        bucket, key = self._find(location)
        memory = RangeMemory(self._buffers, self._limits.ranges)
        return open_range(bucket, key, location, offset, length, self._settings.attempts, memory, self._version)

    def size(self, location: str) -> int:
        """Return the size that the service tells."""
        bucket, key = self._find(location)
        return self._size(bucket, key, location)

    def delete(self, location: str) -> None:
        """Remove the object; those of users are not removed."""
        if self._user_objects is not None and self._user_objects.find(location) is not None:
            raise errors.StoreDeleteNotSupported()
        bucket, key = self._find(location)
        # The service does not say whether a removed object was there.
        self._size(bucket, key, location)
        with self._failures.reading(location):
            bucket.delete(key)

    def discard(self, name: str) -> None:
        """Remove the object and all unfinished uploads under ``name``."""
        check_name(name)
        bucket = self._own_bucket()
        try:
            with self._failures.reading(self._endpoint.location(self._bucket_name, name)):
                for upload in list(bucket.uploads(prefix=name)):
                    if upload["Key"] == name:
                        bucket.abort(name, upload["UploadId"])
                bucket.delete(name)
        except errors.NotFound:
            # There is no bucket.
            return

    def names(self) -> set[str]:
        """Return the keys of objects and unfinished uploads that are names of writes."""
        bucket = self._own_bucket()
        try:
            found = {*bucket.keys(), *(upload["Key"] for upload in bucket.uploads())}
        except self._failures.types as error:
            failure = self._failures.of(error)
            if failure.is_missing_bucket:
                return set()
            raise errors.RemoteServiceUnavailable(reason=failure.reason) from error
        return {name for name in found if is_name(name)}

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield the objects of the store's own bucket."""
        try:
            for entry in self._own_bucket().entries():
                location = self._endpoint.location(self._bucket_name, entry["Key"])
                yield StoredObject(entry["Key"], location, entry["Size"], entry["LastModified"].timestamp())
        except self._failures.types as error:
            failure = self._failures.of(error)
            if not failure.is_missing_bucket:
                raise errors.RemoteServiceUnavailable(reason=failure.reason) from error

    def presigned_url(self, location: str, seconds: int) -> str | None:
        """Return a URL for an object of the store's own bucket, signed with the keys of the store; None for others."""
        parsed = S3Location(None, None)
        parsed.parse_uri(location)
        if parsed.s3serviceurl != self._endpoint.host or parsed.bucket != self._bucket_name:
            return None
        client = self._clients.get(self._public_endpoint, self._credentials)
        return Bucket(client, self._bucket_name, self._failures).presigned_url(parsed.key, seconds)

    def presigned_upload(self, name: str, seconds: int, size: int) -> str:
        """Return a URL signed with the keys of the store; an object that is sent at once has at most 5 GiB.

        A service that obeys headers which are not signed is not trusted with such URLs: StoreAddDisabled.
        """
        check_name(name)
        if size > LARGEST_PART:
            raise errors.SizeLimitExceeded(limit=LARGEST_PART)
        with self._failures.reading(self._endpoint.location(self._bucket_name, name)):
            are_obeyed = self._unsigned.are_obeyed(self._own_bucket())
        if are_obeyed:
            LOG.error(
                "There are no links for uploads to %s: it obeys headers that are not signed, so that who has a link "
                "could read any image there.",
                self._endpoint.host,
            )
            raise errors.StoreAddDisabled()
        client = self._clients.get(self._public_endpoint, self._credentials)
        return Bucket(client, self._bucket_name, self._failures).presigned_upload(name, seconds, size)

    def uploaded(self, name: str) -> int | None:
        """Return the size of the object ``name``."""
        check_name(name)
        with self._failures.reading(self._endpoint.location(self._bucket_name, name)):
            reply = self._own_bucket().head(name)
        return None if reply is None else reply["ContentLength"]

    def adopt(self, source: str, name: str, size: int) -> Written:
        """Copy an object inside the bucket, unless it was replaced since its size was looked at."""
        check_name(source)
        check_name(name)
        location, bucket = self._endpoint.location(self._bucket_name, name), self._own_bucket()
        with self._failures.reading(self._endpoint.location(self._bucket_name, source)):
            reply = bucket.head(source)
            if reply is None:
                raise errors.NotFound(location=self._endpoint.location(self._bucket_name, source))
            if reply["ContentLength"] != size:
                raise errors.SizeMismatch(expected=size, received=reply["ContentLength"])
            if bucket.head(name) is not None:
                raise errors.Duplicate(location=location)
        try:
            bucket.copy(source, name, reply["ETag"], uuid.uuid4().hex)
        except self._failures.types as error:
            if self._failures.of(error).is_taken:
                raise errors.DataChanged(location=self._endpoint.location(self._bucket_name, source)) from error
            raise self._failures.of_write(error) from error
        return Written(location, size)

    def properties(self) -> Mapping[str, object]:
        """Return sizes in bytes and the number of threads."""
        return {
            "s3_store_large_object_size": self._limits.large_object,
            "s3_store_large_object_chunk_size": self._limits.part,
            "s3_store_thread_pools": self._limits.threads,
        }

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()

    def _size(self, bucket: Bucket, key: str, location: str) -> int:
        with self._failures.reading(location):
            reply = bucket.head(key)
        if reply is None:
            raise errors.NotFound(location=location)
        if self._version is not None and reply.get("ETag") != self._version:
            raise errors.DataChanged(location=location)
        return reply["ContentLength"]

    def _own_bucket(self) -> Bucket:
        client = self._clients.get(self._endpoint, self._credentials)
        return Bucket(client, self._bucket_name, self._failures, self._settings.region, self._encryption)

    def _find(self, location: str) -> tuple[Bucket, str]:
        """Return bucket and key. The keys of the store, and those in a location, are used for their own host only."""
        if self._user_objects is not None and (found := self._user_objects.find(location)) is not None:
            client = self._clients.get(self._endpoint, self._credentials)
            return Bucket(client, found[0], self._failures), found[1]
        parsed = S3Location(None, None)
        parsed.parse_uri(location)
        endpoint = Endpoint.of_location(parsed)
        is_own_host = parsed.s3serviceurl == self._endpoint.host
        if is_own_host and parsed.bucket == self._bucket_name:
            # Keys in the location may have been replaced since.
            return self._own_bucket(), parsed.key
        if parsed.accesskey is not None and parsed.secretkey is not None:
            client = self._clients.get(endpoint, Credentials(parsed.accesskey, parsed.secretkey))
        elif is_own_host:
            client = self._clients.get(self._endpoint, self._credentials)
        else:
            raise errors.BadStoreUri(location=location, reason="it is of another service, and holds no credentials")
        return Bucket(client, parsed.bucket, self._failures), parsed.key


def _required(settings: SimpleNamespace, option: str) -> str:
    value: str | None = getattr(settings, option)
    if not value:
        raise errors.BadStoreConfiguration(option=option, reason="it must be set")
    return value


def _bucket_name(settings: SimpleNamespace) -> str:
    name = _required(settings, "s3_store_bucket")
    if not _BUCKET.fullmatch(name):
        raise errors.BadStoreConfiguration(option="s3_store_bucket", reason=f"{name!r} cannot be the name of a bucket")
    return name


def _public_endpoint(settings: SimpleNamespace) -> Endpoint | None:
    text: str | None = settings.s3_store_public_host
    return Endpoint.from_option(text, "s3_store_public_host") if text else None


def _client_settings(settings: SimpleNamespace) -> Settings:
    cacert: str | None = settings.s3_store_cacert
    if cacert and not os.path.isfile(cacert):
        raise errors.BadStoreConfiguration(option="s3_store_cacert", reason=f"there is no file {cacert}")
    is_protected = settings.s3_store_enable_data_integrity_protection
    return Settings(
        region=settings.s3_store_region_name or Settings.region,
        url_format=settings.s3_store_bucket_url_format,
        cacert=cacert,
        connect_timeout=settings.s3_store_connect_timeout,
        read_timeout=settings.s3_store_read_timeout,
        attempts=settings.s3_store_attempts,
        signs_data=settings.s3_store_sign_data,
        request_checksums=settings.s3_store_request_checksum_calculation if is_protected else _WHEN_REQUIRED,
        response_checksums=settings.s3_store_response_checksum_validation if is_protected else _WHEN_REQUIRED,
    )


def _encryption(settings: SimpleNamespace) -> dict[str, str]:
    algorithm, key_id = settings.s3_store_server_side_encryption, settings.s3_store_sse_kms_key_id
    if key_id and (algorithm is None or not algorithm.startswith("aws:kms")):
        reason = "it needs s3_store_server_side_encryption = aws:kms or aws:kms:dsse"
        raise errors.BadStoreConfiguration(option="s3_store_sse_kms_key_id", reason=reason)
    parameters = {"ServerSideEncryption": algorithm, "SSEKMSKeyId": key_id}
    return {name: value for name, value in parameters.items() if value}
