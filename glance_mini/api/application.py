"""The WSGI application at the end of the pipeline: one request, one action, one answer."""

import logging
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from oslo_config import cfg

from glance_mini.api.client_watch import ClientWatch
from glance_mini.api.errors import error_response
from glance_mini.api.request import OPERATION_KEY, Request
from glance_mini.api.response import Response
from glance_mini.api.routes import Router
from glance_mini.api.transfer_slots import LocationSlots, TransferSlots
from glance_mini.api.v2.blocks import ImageBlocksController
from glance_mini.api.v2.cache import CacheController
from glance_mini.api.v2.data import ImageDataController
from glance_mini.api.v2.events import EventsController
from glance_mini.api.v2.images import ImageActionsController, ImagesController
from glance_mini.api.v2.imports import ImageImportController, ImageStageController
from glance_mini.api.v2.info import InfoController
from glance_mini.api.v2.links import LinksController
from glance_mini.api.v2.locations import LocationsController
from glance_mini.api.v2.members import ImageMembersController
from glance_mini.api.v2.metadefs.namespaces import NamespacesController
from glance_mini.api.v2.metadefs.objects import ObjectsController
from glance_mini.api.v2.metadefs.properties import PropertiesController
from glance_mini.api.v2.metadefs.resource_types import ResourceTypesController
from glance_mini.api.v2.metadefs.tags import TagsController
from glance_mini.api.v2.schema import SchemaController
from glance_mini.api.v2.schemas.shapes import ObjectSchema
from glance_mini.api.v2.stores import StoresController
from glance_mini.api.v2.tags import ImageTagsController
from glance_mini.api.v2.tasks import ImageTasksController, TasksController
from glance_mini.api.v2.uploads import UploadsController
from glance_mini.conf.server import max_transfers, transfers_per_project
from glance_mini.event_stream.hub import EventHub
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack

LOG = logging.getLogger(__name__)

UNROUTED = "unknown"
"""The name in the metrics for requests that match no operation."""

IMPORTS = ("import_image", "create_task")
"""Operations whose refusals are logged, because an operator decides what may be imported."""


class Application:
    """Answers requests below ``/v2/``; the middleware before it has chosen the version and identified the caller.

    ``schemas`` are all schemas by name (``schema.all_schemas``).
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        domain: Stack,
        services: Services,
        schemas: dict[str, ObjectSchema],
        hub: EventHub,
    ) -> None:
        self._max_json_body = conf.server.max_json_body
        self._requests = services.metrics.requests
        self._seconds = services.metrics.request_seconds
        self._clients = ClientWatch()
        slots = TransferSlots(max_transfers(conf), transfers_per_project(conf))
        looks = LocationSlots(conf.server.max_location_checks)
        image_data = ImageDataController(domain, services, slots, redirects=conf.direct_access.downloads)
        self._router = Router(
            {
                "images": ImagesController(conf, domain, services, schemas["image"], looks),
                "image_data": image_data,
                "links": LinksController(conf, domain, image_data),
                "image_stage": ImageStageController(conf, domain, services, slots),
                "image_import": ImageImportController(conf, domain, services),
                "uploads": UploadsController(conf, domain, services, slots),
                "locations": LocationsController(domain, looks),
                "image_blocks": ImageBlocksController(conf, domain, slots),
                "image_tasks": ImageTasksController(conf, domain),
                "stores": StoresController(domain),
                "tasks": TasksController(conf, domain, schemas["image"]),
                "image_actions": ImageActionsController(domain),
                "image_members": ImageMembersController(domain),
                "image_tags": ImageTagsController(domain),
                "cache": CacheController(domain),
                "events": EventsController(conf, domain, hub),
                "info": InfoController(conf, domain),
                "schema": SchemaController(schemas),
                "metadef_namespaces": NamespacesController(conf, domain),
                "metadef_types": ResourceTypesController(conf, domain),
                "metadef_properties": PropertiesController(conf, domain),
                "metadef_objects": ObjectsController(conf, domain),
                "metadef_tags": TagsController(conf, domain),
            }
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        self._clients.begin(environ)
        name, response = self._answer(Request(environ, max_json_body=self._max_json_body))
        environ[OPERATION_KEY] = name
        self._requests.labels(name, response.status_int).inc()
        self._seconds.labels(name).observe(time.perf_counter() - started)
        return response(environ, start_response)

    def _answer(self, request: Request) -> tuple[str, Response]:
        name = UNROUTED
        try:
            action, handler, variables = self._router.find(request)
            name = action.name
            return name, handler(request, **variables)
        except Exception as error:
            if name in IMPORTS:
                LOG.warning("The request %s %s was refused: %s", request.method, request.path_info, error)
            return name, error_response(error, request.environ.get("HTTP_ACCEPT"))
