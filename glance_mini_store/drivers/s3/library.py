"""What the driver uses of boto3 and botocore, by name and type."""

from collections.abc import Callable
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

    def close(self) -> None:
        """Close the connections."""


class Session(Protocol):
    """A session of boto3."""

    def client(self, service_name: str, **parameters: object) -> S3Client:
        """Return a new client."""


class NewConfig(Protocol):
    """The class of the settings of a client."""

    def __call__(self, **parameters: object) -> object:
        """Return new settings."""


class Library:
    """boto3; raises DriverLoadFailure if it is not installed."""

    def __init__(self) -> None:
        boto3 = import_library("boto3", driver="s3")
        exceptions = import_library("botocore.exceptions", driver="s3")
        transport = import_library("urllib3.exceptions", driver="s3")
        self.new_session: Callable[[], Session] = boto3.session.Session
        self.new_config: NewConfig = import_library("botocore.config", driver="s3").Config
        self.service_failure: type[Exception] = exceptions.ClientError
        self.failures: tuple[type[Exception], ...] = (
            exceptions.ClientError,
            exceptions.BotoCoreError,
            transport.HTTPError,
            OSError,
        )
        """What calls and bodies raise."""
        self.time_outs: tuple[type[Exception], ...] = (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)
