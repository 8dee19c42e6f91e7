"""Forwards requests for staged data to the node whose disk holds it (api-imports-nodes, operator-uploads-nodes).

That node checks the caller again, by the credentials of the request. The record of the staged data names the node.
"""

import logging
from collections.abc import Iterable, Iterator

from glance_mini.api.errors import NodeFailed, NodeUnreachable
from glance_mini.api.middleware.request_id import HEADER as REQUEST_ID
from glance_mini.api.request import Request
from glance_mini.api.response import Response
from glance_mini.domain.staging import StagedData
from glance_mini.layers.stack import Stack
from glance_mini.operations.images import GetImage
from glance_mini.operations.records import GetStaged
from glance_mini_store.lanes import Chunk

LOG = logging.getLogger(__name__)

TIMEOUT = 60.0
"""The longest silence of the other node in seconds."""

FORWARDED = "X-Glance-Mini-Forwarded"
"""The header of a request that another node forwarded; such a request is not forwarded again."""

PASSED_ON = (
    # of the authentication, with the older name of X-Auth-Token that keystonemiddleware also reads
    *("Authorization", "X-Auth-Token", "X-Project-Id", "X-Service-Token", "X-Storage-Token"),
    # of the other filters; those of a proxy say who the client is
    *("Accept", "X-Openstack-Request-ID", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port"),
    *("X-Forwarded-Prefix", "X-Forwarded-Proto"),
    # of the calls that are forwarded
    *("Content-Type", "X-Image-Meta-Store", "X-HTTP-Method-Override", "Tus-Resumable", "Upload-Length"),
    *("Upload-Offset", "Upload-Metadata", "Upload-Concat", "Upload-Checksum"),
)
"""Every header that a filter or the forwarded call reads. ``JUDGED_HERE`` are the exceptions."""

JUDGED_HERE = ("Host", "Origin", "Sec-Fetch-Site", "Accept-Encoding")
"""Headers that this node judges alone.

They say from which page a request comes, seen from the address of this node, and how its response may be compressed.
"""

PASSED_BACK = (
    *("Content-Type", REQUEST_ID, "Location", "Cache-Control"),
    *("Tus-Resumable", "Upload-Offset", "Upload-Expires"),
)
"""Every header of an answer that the client gets."""


class StreamedBody:
    """A body of ``size`` bytes that is sent on while it arrives; ``chunks`` may change when they are advanced."""

    def __init__(self, chunks: Iterable[Chunk], size: int) -> None:
        self._chunks = chunks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self._chunks)


Body = bytes | StreamedBody | Iterable[Chunk]
"""What is sent on; an iterable without a length goes in chunks."""


class Forwarding:
    """Sends requests to other nodes; ``address`` is the URL of this node, None if it is the only one."""

    def __init__(self, address: str | None, domain: Stack) -> None:
        self._address = address
        self._domain = domain

    def forward(self, request: Request, image_id: str, body: bytes = b"") -> Response | None:
        """Return the response of the node that holds the staged data of the image; None if no other node holds it.

        Raises NotFound if the caller may not see the image, NodeUnreachable, NodeFailed. Blocks.
        """
        node_url = self._other_holder(request, image_id)
        if node_url is None:
            return None
        # What the other node answers, or that it does not, is for those only who may know of the image.
        self._domain.call(request.context, GetImage(image_id))
        return self.send(node_url, request, image_id, body)

    def forward_if_possible(self, request: Request, image_id: str) -> Response | None:
        """Return the result of ``forward``, and None also if the other node does not answer."""
        try:
            return self.forward(request, image_id)
        except NodeFailed as error:
            LOG.warning("Image %s is handled on this node: %s", image_id, error)
            return None

    def is_elsewhere(self, node_url: str | None) -> bool:
        """Return whether data is on the disk of another node; ``node_url`` is the node that its record names."""
        return self._address is not None and node_url not in (None, self._address)

    def send(self, node_url: str, request: Request, image_id: str, body: Body = b"") -> Response:
        """Return the response of the node at ``node_url``, for a caller who may see the image.

        Raises NodeUnreachable, NodeFailed, and what reading ``body`` raises. Blocks.
        """
        if FORWARDED in request.headers:
            raise NodeFailed(reason="the forwarded request reached a node that does not hold the data")
        return _send(node_url, request, image_id, body)

    def _other_holder(self, request: Request, image_id: str) -> str | None:
        if self._address is None:
            return None
        staged: StagedData | None = self._domain.call(request.context, GetStaged(image_id))
        return staged.node_url if staged and self.is_elsewhere(staged.node_url) else None


def _send(node_url: str, request: Request, image_id: str, body: Body) -> Response:
    import requests  # a single node never needs it

    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(
                request.method,
                node_url.rstrip("/") + request.path_info,
                headers={**headers, FORWARDED: "1"},
                data=body,  # type: ignore[arg-type]
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise NodeUnreachable(id=image_id) from error
        except requests.RequestException as error:
            raise NodeFailed(reason=type(error).__name__) from error
    response = Response(status=answer.status_code, body=answer.content)
    del response.content_type
    for name in PASSED_BACK:
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    return response
