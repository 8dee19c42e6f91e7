"""Data that waits for its import (reference 5.3)."""

from oslo_config import cfg

from glance_mini.api.body import read_chunks
from glance_mini.api.errors import UnknownPath
from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.api.v2.upload_body import check_media_type, declared_size
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.imports import StageData


class ImageStageController:
    """Answers ``/v2/images/{image_id}/stage``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, services: Services, slots: TransferSlots) -> None:
        self.domain = domain
        self._is_enabled = any(services.import_methods[name].is_of_staged for name in conf.enabled_import_methods)
        self._slots = slots

    def update(self, request: Request, image_id: str) -> Response:
        """Take data into the staging area; nothing is read before the layers ask for it."""
        if not self._is_enabled:
            raise UnknownPath()
        check_media_type(request)
        size = declared_size(request)
        release = self._slots.take()
        try:
            chunks = read_chunks(request.environ)
            self.domain.call(request.context, StageData(image_id, chunks=chunks, size=size))
        finally:
            release()
        return empty_response()
