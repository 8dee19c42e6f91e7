"""The data of an image in one store (api-stores-delete)."""

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.layers.stack import Stack
from glance_mini.operations.locations import DeleteFromStore


class StoresController:
    """Answers ``/v2/stores/{store_id}/{image_id}``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def delete(self, request: Request, store_id: str, image_id: str) -> Response:
        """Remove the data of an image from a store."""
        self.domain.call(request.context, DeleteFromStore(image_id, store=store_id))
        return empty_response()
