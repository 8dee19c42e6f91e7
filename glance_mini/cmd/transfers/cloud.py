"""The images of a cloud, reached with the options and the clouds.yaml of OpenStack's clients."""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import requests
from keystoneauth1 import exceptions as keystone
from urllib3.exceptions import HTTPError

from glance_mini.domain.errors import ConfigurationError, Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from openstack.config import OpenStackConfig

CHUNK = 1024 * 1024
"""Bytes that are received at once."""

_TRIES = 5
"""Attempts of a request, or of the rest of a transfer, without a byte between them."""

_TIMEOUT = (30, 300)
"""Seconds to connect, and without a byte."""

_TYPE = {"Content-Type": "application/octet-stream"}
_BROKEN = (keystone.ConnectionError, requests.RequestException, HTTPError)

_TUS = {"Tus-Resumable": "1.0.0"}
_UNKNOWN = (404, 405, 501)
"""Statuses of a service that does not have uploads that go on; of an image that is not there, too."""

_LATER = (408, 409, 423, 502, 503, 504)
"""Statuses of an upload that another request still works on, or that broke behind a proxy."""

Values = Mapping[str, object]
"""An object of JSON."""


class Body(Protocol):
    """Data that is sent, from its beginning each time that it is iterated over; its length is known."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


def add_arguments(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add ``--os-cloud`` and all the other options of OpenStack's clients; raises ConfigurationError."""
    _config().register_argparse_arguments(parser, list(argv), service_keys=["image"])


def connect(arguments: argparse.Namespace) -> "Images":
    """Return the images of the cloud that the arguments, the environment or clouds.yaml name."""
    config = _config()
    try:
        region = config.get_one(argparse=arguments)
        session = region.get_session()
        endpoint = region.get_session_client("image").get_endpoint()
    except Exception as error:  # openstacksdk and the plugins for authentication raise many kinds
        raise Unavailable(reason=f"The image service cannot be reached: {error}") from error
    if not endpoint:
        raise ConfigurationError(reason="The cloud names no image service.")
    return Images(session, endpoint)


def _config() -> "OpenStackConfig":
    try:
        from openstack.config import OpenStackConfig
    except ImportError as error:
        raise ConfigurationError(reason="push and pull need openstacksdk: pip install 'glance-mini[client]'") from error
    return OpenStackConfig()


class Images:
    """The image service at ``endpoint``. Methods raise Unavailable, NotFound, and Invalid with the service's reason."""

    def __init__(self, session: "Session", endpoint: str) -> None:
        self._session = session
        self._root = endpoint.rstrip("/").removesuffix("/v2")

    def find(self, name: str) -> Values:
        """Return the image with the id ``name``, or else the only one with this name."""
        try:
            return self._get(f"/v2/images/{UUID(name)}")
        except (ValueError, NotFound):
            found = self._get("/v2/images", {"name": name, "limit": "2"})["images"]
            assert isinstance(found, list)
            if not found:
                raise NotFound(kind="image", id=name) from None
            if len(found) > 1:
                raise Invalid(reason=f"Several images have the name {name}; give the id.") from None
            image: Values = found[0]
            return image

    def show(self, image_id: str) -> Values:
        """Return an image."""
        return self._get(f"/v2/images/{image_id}")

    def create(self, values: Values) -> str:
        """Create an image and return its id."""
        return str(_checked(self._request("POST", "/v2/images", json=values)).json()["id"])

    def upload(self, image_id: str, body: Body) -> bool:
        """Send the data of an image; return False if the connection broke, so that it may be tried again."""
        try:
            _checked(self._once("PUT", f"/v2/images/{image_id}/file", data=body, headers=_TYPE))
        except _BROKEN:
            return False
        return True

    def open_upload(self, image_id: str, size: int, metadata: str) -> str | None:
        """Return the path of an upload that goes on, with this size and metadata: one that is open, or a new one.

        None if the service does not have such uploads.
        """
        path = f"/v2/images/{image_id}/upload"
        answer = self._request("GET", path)
        if answer.status_code in _UNKNOWN:
            return None
        uploads = _checked(answer).json()["uploads"]
        for upload in uploads:
            if (upload["kind"], upload["size"], upload["metadata"]) == ("whole", size, metadata):
                return f"{path}/{upload['id']}"
        headers = {**_TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
        answer = self._request("POST", path, headers=headers)
        if answer.status_code in _UNKNOWN:
            return None
        return f"{path}/{_checked(answer).headers['Location'].rpartition('/')[2]}"

    def received(self, path: str) -> int:
        """Return how many bytes of an upload the service has."""
        return int(_checked(self._request("HEAD", path, headers=_TUS)).headers["Upload-Offset"])

    def extend(self, path: str, offset: int, body: Body) -> bool:
        """Send the rest of an upload; return False if it broke, so that it may be tried again."""
        headers = {**_TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        try:
            answer = self._once("PATCH", path, data=body, headers=headers)
        except _BROKEN:
            return False
        if answer.status_code in _LATER:
            answer.close()
            return False
        _checked(answer)
        return True

    def blocks(self, image_id: str, query: Mapping[str, str]) -> Values:
        """Return a page of the blocks of an image; waits while the service computes their hashes."""
        while True:
            answer = _checked(self._request("GET", f"/v2/images/{image_id}/blocks", params=query))
            if answer.status_code != 202:
                page: Values = answer.json()
                return page
            time.sleep(min(int(answer.headers.get("Retry-After", "5")), 60))

    def data(self, image_id: str, offset: int, end: int, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the bytes ``offset`` to ``end`` (exclusive) of the data; goes on where a connection broke."""
        tries = 0
        while offset < end:
            tries += 1
            try:
                headers = {"Range": f"bytes={offset}-{end - 1}"}
                path = f"/v2/images/{image_id}/file"
                with _checked(self._once("GET", path, params=query, headers=headers, stream=True)) as answer:
                    if answer.status_code != 206:
                        raise Invalid(reason="The service does not send ranges of this image.")
                    # read1 loses no byte that came before a break.
                    while offset < end and (chunk := answer.raw.read1(min(CHUNK, end - offset))):
                        offset, tries = offset + len(chunk), 0
                        yield chunk
                if offset < end:
                    _pause(tries, EOFError("its answer ended too early"))
            except _BROKEN as error:
                _pause(tries, error)

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Values:
        answer: Values = _checked(self._request("GET", path, params=query)).json()
        return answer

    def _request(self, method: str, path: str, **options: object) -> requests.Response:
        """Make a small request, several times if the connection breaks before there is an answer."""
        tries = 0
        while True:
            tries += 1
            try:
                return self._once(method, path, **options)
            except _BROKEN as error:
                if method not in ("GET", "HEAD"):
                    raise Unavailable(reason=f"The image service does not answer: {error}") from error
                _pause(tries, error)

    def _once(self, method: str, path: str, **options: object) -> requests.Response:
        answer: requests.Response = self._session.request(
            self._root + path, method, raise_exc=False, log=False, timeout=_TIMEOUT, **options
        )
        return answer


def _pause(tries: int, error: Exception) -> None:
    if tries >= _TRIES:
        raise Unavailable(reason=f"The image service does not answer: {error}") from error
    time.sleep(2**tries / 4)


def _checked(answer: requests.Response) -> requests.Response:
    """Return an answer that is no refusal; a redirect is none of this API."""
    if answer.status_code < 300:
        return answer
    text = " ".join(answer.text.split())[:500]
    answer.close()
    if answer.status_code == 404:
        raise NotFound(kind="image", id=answer.url.partition("/v2/images/")[2].partition("/")[0])
    if answer.status_code >= 500:
        raise Unavailable(reason=f"The image service failed with {answer.status_code}: {text}")
    raise Invalid(reason=f"The image service refused with {answer.status_code}: {text}")
