"""Uploads that may break off and go on, by the protocol tus 1.0 (api-uploads). Source: https://tus.io/protocols/resumable-upload"""

import binascii
import logging
import re
from base64 import b64decode
from collections.abc import Collection
from contextlib import ExitStack
from urllib.parse import urlsplit

from oslo_config import cfg

from glance_mini.api.body import content_length, read_chunks
from glance_mini.api.errors import MethodNotAllowed, NodeFailed, UnsupportedMediaType, UnsupportedTusVersion
from glance_mini.api.forwarding import Forwarding, StreamedBody
from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.api.v2.views import uploads as views
from glance_mini.domain.errors import Invalid
from glance_mini.domain.upload_session import PART, UploadSession
from glance_mini.imports.resumed import ResumedUploads
from glance_mini.layers.location.sessions import CHECKSUMS
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.upload_sessions import (
    AddUploadSession,
    DeleteUploadSession,
    ExtendUploadSession,
    GetUploadSession,
    ListUploadSessions,
)
from glance_mini_store.numbers import parse_number

LOG = logging.getLogger(__name__)

VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "expiration", "checksum", "termination", "concatenation")
MEDIA_TYPE = "application/offset+octet-stream"

REQUEST_HEADERS = (
    *("Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Concat", "Upload-Checksum"),
    *("X-HTTP-Method-Override", "X-Requested-With"),
)
RESPONSE_HEADERS = (
    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
    *("Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Concat", "Upload-Expires"),
)
"""The headers of the protocol, for pages of other origins."""

MAX_METADATA = 4096
"""The most characters of ``Upload-Metadata``."""

_METADATA = re.compile(r"[!-+\--~]+(?: [A-Za-z0-9+/]*={0,2})?(?:, ?[!-+\--~]+(?: [A-Za-z0-9+/]*={0,2})?)*")
_PART = re.compile(r"(?:.*/v2/images/(?P<image>[^/]+)/upload/)?(?P<id>[^/]+)")


class UploadsController:
    """Answers ``/v2/images/{image_id}/upload`` and the sessions below it."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, services: Services, slots: TransferSlots) -> None:
        self.domain = domain
        self._slots = slots
        self._buffers = services.buffers
        self._several_stores = services.stores.multi
        self._max_size = conf.image_size_cap
        self._prefix = urlsplit(conf.public_endpoint or "").path.rstrip("/")
        self._uploads = ResumedUploads(domain, services.stores, services.buffers)
        self._forwarding = Forwarding(services.node_url, domain)
        self._is_one_of_several = services.node_url is not None

    def options(self, request: Request, image_id: str, session_id: str = "") -> Response:
        """Say what of the protocol there is."""
        response = empty_response()
        response.headers.update(
            {
                "Tus-Resumable": VERSION,
                "Tus-Version": VERSION,
                "Tus-Extension": ",".join(EXTENSIONS),
                "Tus-Max-Size": str(self._max_size),
                "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            }
        )
        return response

    def index(self, request: Request, image_id: str) -> Response:
        """List the uploads of an image that have not expired."""
        return json_response(views.index(self.domain.call(request.context, ListUploadSessions(image_id))))

    def create(self, request: Request, image_id: str) -> Response:
        """Begin an upload, perhaps with its first bytes, or join parts to one."""
        _check_version(request)
        is_part, parts = _concatenation(request, image_id)
        if parts and request.has_body:
            raise Invalid(reason="Nothing is sent to an upload that joins others.")
        op = AddUploadSession(
            image_id,
            size=0 if parts else _number(request, "Upload-Length"),
            store=request.headers.get("x-image-meta-store") if self._several_stores else None,
            metadata=_metadata(request),
            is_part=is_part,
            parts=parts,
        )
        if request.has_body:
            _check_media_type(request)
        with ExitStack() as held:
            held.callback(self._slots.take(request.context))
            node_url = self._node_of_parts(request, image_id, parts) if is_part or parts else None
            if node_url is not None:
                return self._forward(request, image_id, node_url)
            session = self.domain.call(request.context, op)
            if request.has_body:
                session = self._receive(request, session.image_id, session.id, 0)
            self._finish(request, session)
        response = Response(status=201)
        del response.content_type
        response.headers.update(views.state(session))
        response.headers["Location"] = f"{self._prefix}/v2/images/{session.image_id}/upload/{session.id}"
        return _told(response)

    def describe(self, request: Request, image_id: str, session_id: str) -> Response:
        """Answer HEAD: how many bytes are durable."""
        _check_version(request)
        session = self.domain.call(request.context, GetUploadSession(image_id, None, session_id))
        response = Response(status=200)
        del response.content_type
        response.headers.update(views.head(session))
        response.headers["Cache-Control"] = "no-store"
        return _told(response)

    def extend(self, request: Request, image_id: str, session_id: str) -> Response:
        """Add bytes at the end; the answer to the last ones comes when the image is active."""
        _check_version(request)
        _check_media_type(request)
        offset = _number(request, "Upload-Offset")
        with ExitStack() as held:
            held.callback(self._slots.take(request.context))
            node_url = self._other_node(request, image_id, session_id)
            if node_url is not None:
                return self._forward(request, image_id, node_url)
            session = self._receive(request, image_id, session_id, offset)
            self._finish(request, session)
        response = empty_response()
        response.headers.update(views.state(session))
        return _told(response)

    def delete(self, request: Request, image_id: str, session_id: str) -> Response:
        """End an upload and remove what was sent; forwarded, if possible, to the node that holds it."""
        _check_version(request)
        node_url = self._other_node(request, image_id, session_id)
        if node_url is not None:
            try:
                return self._forwarding.send(node_url, request, image_id)
            except NodeFailed as error:
                LOG.warning("An upload of image %s ends on this node: %s", image_id, error)
        self.domain.call(request.context, DeleteUploadSession(image_id, None, session_id))
        return _told(empty_response())

    def override(self, request: Request, image_id: str, session_id: str) -> Response:
        """Answer a POST that stands for another method, for clients that cannot send that."""
        named = request.headers.get("X-HTTP-Method-Override", "POST").upper()
        methods = {"PATCH": self.extend, "DELETE": self.delete, "HEAD": self.describe}
        if named not in methods:
            raise MethodNotAllowed(method=named[:40], allowed="OPTIONS, HEAD, PATCH, DELETE")
        return methods[named](request, image_id, session_id)

    def _other_node(self, request: Request, image_id: str, session_id: str) -> str | None:
        """Return the URL of the node that holds the bytes of a session, None if this one can access them."""
        if not self._is_one_of_several:
            return None
        node_url = self.domain.call(request.context, GetUploadSession(image_id, None, session_id)).node_url
        return node_url if self._forwarding.is_elsewhere(node_url) else None

    def _node_of_parts(self, request: Request, image_id: str, parts: Collection[str]) -> str | None:
        """Return the URL of the node that has the first of ``parts`` (if empty: of any parts), None if it is this one.

        Only the parts of one node can be joined.
        """
        if not self._is_one_of_several:
            return None
        for session in self.domain.call(request.context, ListUploadSessions(image_id)):
            if session.kind == PART and (not parts or session.id in parts):
                return session.node_url if self._forwarding.is_elsewhere(session.node_url) else None
        return None

    def _forward(self, request: Request, image_id: str, node_url: str) -> Response:
        """Let the node at ``node_url`` answer; the body goes there as it arrives."""
        if not request.has_body:
            return self._forwarding.send(node_url, request, image_id)
        size = content_length(request.environ)
        with self._buffers.blocks(size) as blocks:
            chunks = read_chunks(request.environ, blocks)
            body = chunks if size is None else StreamedBody(chunks, size)
            return self._forwarding.send(node_url, request, image_id, body)

    def _receive(self, request: Request, image_id: str, session_id: str, offset: int) -> UploadSession:
        size, checksum = content_length(request.environ), _checksum(request)
        with self._buffers.blocks(size) as blocks:
            op = ExtendUploadSession(
                image_id,
                session_id=session_id,
                offset=offset,
                chunks=read_chunks(request.environ, blocks) if request.has_body else (),
                blocks=len(blocks),
                size=size,
                checksum=checksum,
            )
            return self.domain.call(request.context, op)

    def _finish(self, request: Request, session: UploadSession) -> None:
        if session.is_complete and session.kind != PART and not session.is_finished:
            self._uploads.finish(request.context, session)


def _told(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    return response


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise UnsupportedTusVersion(version=VERSION)


def _check_media_type(request: Request) -> None:
    if request.environ.get("CONTENT_TYPE", "").lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(wanted=MEDIA_TYPE)


def _number(request: Request, header: str) -> int:
    number = parse_number(request.headers.get(header, ""))
    if number is None:
        raise Invalid(reason=f"The header {header} must be a number of bytes.")
    return number


def _metadata(request: Request) -> str:
    text: str = request.headers.get("Upload-Metadata", "").strip()
    if len(text) > MAX_METADATA:
        raise Invalid(reason=f"Upload-Metadata has more than {MAX_METADATA} characters.")
    if text and not _METADATA.fullmatch(text):
        raise Invalid(reason="Upload-Metadata must be pairs of a key and a value in base64, with commas between.")
    return text


def _concatenation(request: Request, image_id: str) -> tuple[bool, tuple[str, ...]]:
    """Return whether the upload is a part, and the ids of the parts that it joins; raises Invalid."""
    text = request.headers.get("Upload-Concat", "").strip()
    if text in ("", "partial"):
        return bool(text), ()
    kind, _, addresses = text.partition(";")
    found = [_PART.fullmatch(urlsplit(address).path) for address in addresses.split()] if kind == "final" else []
    parts = tuple(match["id"] for match in found if match and match["image"] in (None, image_id))
    if not parts or len(parts) < len(found) or len(set(parts)) < len(parts):
        raise Invalid(reason="Upload-Concat must be 'partial', or 'final;' and the addresses of parts of this image.")
    return False, parts


def _checksum(request: Request) -> tuple[str, bytes] | None:
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, digest = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise Invalid(reason=f"The algorithm of Upload-Checksum must be one of {', '.join(CHECKSUMS)}.")
    try:
        return algorithm, b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(reason="The digest in Upload-Checksum must be in base64.") from None
