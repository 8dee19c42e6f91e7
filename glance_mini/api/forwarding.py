"""Hands requests for staged data on to the node whose own disk holds it (api-imports-nodes).

That node judges the caller anew, by the credentials that came with the request. Which node it is stands in the record
of the staged data.
"""

import logging

from glance_mini.api.errors import NodeFailed, NodeUnreachable
from glance_mini.api.middleware.request_id import HEADER as REQUEST_ID
from glance_mini.api.request import Request
from glance_mini.api.response import Response
from glance_mini.domain.staging import StagedData
from glance_mini.layers.stack import Stack
from glance_mini.operations.records import GetStaged

LOG = logging.getLogger(__name__)

TIMEOUT = 60.0
"""Seconds that the other node may be silent."""

FORWARDED = "X-Glance-Mini-Forwarded"
"""The header of a request that came from another node: it goes no further."""

_PASSED_ON = (
    "Accept",
    "Authorization",
    "Content-Type",
    "X-Auth-Token",
    "X-Service-Token",
    "X-Openstack-Request-ID",
    "X-Image-Meta-Store",
)


class Forwarding:
    """Sends requests to other nodes; ``address`` is where they reach this one, None where there are none."""

    def __init__(self, address: str | None, domain: Stack) -> None:
        self._address = address
        self._domain = domain

    def forward(self, request: Request, image_id: str, body: bytes = b"") -> Response | None:
        """Return the answer of the node that holds the staged data of the image; None where that is no other one.

        Raises NodeUnreachable, NodeFailed. Blocks.
        """
        host = self._other_holder(request, image_id)
        if host is None:
            return None
        if FORWARDED in request.headers:
            raise NodeFailed(reason="the request came to another node instead")
        return _send(host, request, image_id, body)

    def forward_if_possible(self, request: Request, image_id: str) -> Response | None:
        """Return as ``forward``; None also where the other node does not answer."""
        try:
            return self.forward(request, image_id)
        except NodeFailed as error:
            LOG.warning("Image %s is dealt with here: %s", image_id, error)
            return None

    def _other_holder(self, request: Request, image_id: str) -> str | None:
        if self._address is None:
            return None
        staged: StagedData | None = self._domain.call(request.context, GetStaged(image_id))
        return staged.host if staged and staged.host != self._address else None


def _send(host: str, request: Request, image_id: str, body: bytes) -> Response:
    import requests  # a node that is alone never needs it

    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(
                request.method,
                host.rstrip("/") + request.path_info,
                headers={**headers, FORWARDED: "1"},
                data=body,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise NodeUnreachable(id=image_id) from error
        except requests.RequestException as error:
            raise NodeFailed(reason=type(error).__name__) from error
    response = Response(status=answer.status_code, body=answer.content)
    del response.content_type
    for name in ("Content-Type", REQUEST_ID):
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    return response
