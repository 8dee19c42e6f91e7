"""The blocks of the disk of an image (api-incremental-blocks)."""

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, accepted_response, json_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.api.v2.image_query import parse_limit, parse_parameters
from glance_mini.api.v2.views import blocks as views
from glance_mini.domain.errors import Invalid
from glance_mini.layers.stack import Stack
from glance_mini.operations.blocks import ListBlocks
from glance_mini_store.numbers import parse_number

RETRY_AFTER = "5"
"""Seconds after which a client may ask again while a job computes the hashes."""


class ImageBlocksController:
    """Answers ``/v2/images/{image_id}/blocks``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, slots: TransferSlots) -> None:
        self.domain = domain
        self._limits = (conf.api_limit_max,) * 2
        self._slots = slots

    def index(self, request: Request, image_id: str) -> Response:
        """Show a page of the allocated blocks; 202 while their hashes are computed."""
        parameters = parse_parameters(request.query_string)
        last = dict(parameters)
        op = ListBlocks(
            image_id,
            since=last.get("since"),
            offset=_number(last, "marker") or 0,
            limit=max(1, parse_limit(last.get("limit"), *self._limits)),
            within=_number(last, "within"),
        )
        release = self._slots.take(request.context)
        try:
            page = self.domain.call(request.context, op)
        finally:
            release()
        if page is None:
            answer = accepted_response()
            answer.headers["Retry-After"] = RETRY_AFTER
            return answer
        return json_response(views.page(page, image_id, parameters))


def _number(parameters: dict[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    number = parse_number(text)
    if number is None:
        raise Invalid(reason=f"The parameter {name} must be a number.")
    return number
