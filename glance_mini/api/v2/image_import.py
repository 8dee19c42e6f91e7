"""Imports (reference section 6). The work itself is a job of the workers."""

from dataclasses import replace

from oslo_config import cfg

from glance_mini.api.forwarding import Forwarding
from glance_mini.api.request import Request
from glance_mini.api.response import Response, accepted_response, dump_json
from glance_mini.api.v2.import_request import endpoint_of, parse_import
from glance_mini.domain.imports import GLANCE_DOWNLOAD, ImportRequest
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.imports import ImportImage


class ImageImportController:
    """Answers ``/v2/images/{image_id}/import``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, services: Services) -> None:
        self.domain = domain
        self._methods = tuple(conf.enabled_import_methods)
        self._rules = services.import_methods
        self._several_stores = services.stores.multi
        self._forwarding = Forwarding(services.address, domain)

    def create(self, request: Request, image_id: str) -> Response:
        """Begin an import."""
        body = request.json_object()
        wanted = _with_endpoint(request, parse_import(body, self._methods))
        if self._rules[wanted.name].is_of_staged:
            answer = self._forwarding.forward(request, image_id, dump_json(body))
            if answer is not None:
                return answer
        store = request.headers.get("x-image-meta-store") if self._several_stores else None
        self.domain.call(request.context, ImportImage(image_id, request=wanted, header_store=store))
        return accepted_response()


def _with_endpoint(request: Request, wanted: ImportRequest) -> ImportRequest:
    """Return ``wanted`` with the address of another image service, where it is one that the data comes from."""
    if wanted.name != GLANCE_DOWNLOAD:
        return wanted
    # Without a token of Keystone nobody has vouched for the header.
    catalogue = request.environ.get("HTTP_X_SERVICE_CATALOG") if request.context.auth_token else None
    return replace(wanted, method={**wanted.method, "endpoint": endpoint_of(catalogue, wanted.method)})
