"""What the driver uses of boto3 and botocore, by name and type."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypedDict

from glance_mini_store.extras import import_library


class Body(Protocol):
    """The data of an object, as it comes."""

    def read(self, amount: int) -> bytes:
        """Return up to ``amount`` bytes; none at the end."""

    def close(self) -> None:
        """End the connection."""


class Entry(TypedDict, total=False):
    """An object or an unfinished upload in a list."""

    Key: str
    LastModified: datetime
    Size: int
    UploadId: str


class Reply(TypedDict, total=False):
    """The fields that the driver reads of any answer."""

    Body: Body
    ContentLength: int
    ContentRange: str
    Contents: list[Entry]
    ETag: str
    IsTruncated: bool
    Metadata: dict[str, str]
    NextContinuationToken: str
    NextKeyMarker: str
    NextUploadIdMarker: str
    UploadId: str
    Uploads: list[Entry]


class Call(Protocol):
    """A call of the S3 API."""

    def __call__(self, **parameters: object) -> Reply:
        """Send the request, again where that may help, and return the answer."""


class S3Client(Protocol):
    """The client of boto3; it is shared by threads."""

    abort_multipart_upload: Call
    complete_multipart_upload: Call
    copy_object: Call
    create_bucket: Call
    create_multipart_upload: Call
    delete_object: Call
    get_object: Call
    head_bucket: Call
    head_object: Call
    list_multipart_uploads: Call
    list_objects_v2: Call
    put_object: Call
    upload_part: Call

    def generate_presigned_url(self, call: str, Params: Mapping[str, object], ExpiresIn: int) -> str:
        """Return a URL that makes ``call`` for ``ExpiresIn`` seconds; no request is sent."""

    def close(self) -> None:
        """Close the connections."""


class _NewConfig(Protocol):
    def __call__(self, **parameters: object) -> object: ...


class _NewSession(Protocol):
    def __call__(self, **parameters: object) -> "_Session": ...


class _Session(Protocol):
    def client(self, service_name: str, **parameters: object) -> S3Client: ...


_ISOLATED = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Settings of a session of botocore that come from nowhere else: no variable of the environment names them."""


class Library:
    """boto3, without the files and profiles of its users; raises DriverLoadFailure if it is not installed."""

    def __init__(self) -> None:
        boto3 = import_library("boto3", driver="s3")
        sessions = import_library("botocore.session", driver="s3")
        exceptions = import_library("botocore.exceptions", driver="s3")
        transport = import_library("urllib3.exceptions", driver="s3")
        self._new_session: _NewSession = boto3.session.Session
        self._new_botocore_session: Callable[[object], object] = sessions.Session
        self._new_config: _NewConfig = import_library("botocore.config", driver="s3").Config
        self.service_failure: type[Exception] = exceptions.ClientError
        self.failures: tuple[type[Exception], ...] = (
            exceptions.ClientError,
            exceptions.BotoCoreError,
            transport.HTTPError,
            OSError,
        )
        """What calls and bodies raise."""
        self.time_outs: tuple[type[Exception], ...] = (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)

    def new_client(self, settings: Mapping[str, object], **parameters: object) -> S3Client:
        """Return a client; ``settings`` are those of botocore's Config, ``parameters`` those of boto3's client."""
        session = self._new_session(botocore_session=self._new_botocore_session(_ISOLATED))
        return session.client("s3", config=self._new_config(**settings), **parameters)
