"""The objects of namespaces (api-metadefs-objects)."""

from dataclasses import replace

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.image_query import parse_parameters
from glance_mini.api.v2.metadefs.bodies import BodyReader, part_query, to_object
from glance_mini.api.v2.schemas.metadefs import object_schema
from glance_mini.api.v2.views import metadefs as views
from glance_mini.layers.stack import Stack
from glance_mini.operations.metadef_parts import (
    AddObject,
    DeleteObject,
    DeleteObjects,
    GetObject,
    GetObjects,
    ModifyObject,
)


class ObjectsController:
    """Answers ``/v2/metadefs/namespaces/{namespace}/objects`` and what is below it."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._bodies = BodyReader(conf, domain, object_schema())
        self._limits = (conf.api_limit_max, conf.api_limit_max)

    def index(self, request: Request, namespace: str) -> Response:
        """Show a page of the objects of a namespace."""
        parameters = parse_parameters(request.query_string)
        op = GetObjects(namespace, query=part_query(parameters, self._limits, least=1))
        return json_response(views.objects(namespace, self.domain.call(request.context, op), parameters))

    def create(self, request: Request, namespace: str) -> Response:
        """Add an object to a namespace."""
        new = to_object(self._bodies.read(request, lambda _: AddObject(namespace)))
        op = AddObject(namespace, new=new)
        return json_response(views.object_definition(namespace, self.domain.call(request.context, op)), 201)

    def clear(self, request: Request, namespace: str) -> Response:
        """Delete all objects of a namespace."""
        self.domain.call(request.context, DeleteObjects(namespace))
        return empty_response()

    def show(self, request: Request, namespace: str, object_name: str) -> Response:
        """Show an object."""
        found = self.domain.call(request.context, GetObject(namespace, object_name=object_name))
        return json_response(views.object_definition(namespace, found))

    def update(self, request: Request, namespace: str, object_name: str) -> Response:
        """Replace an object."""
        op = ModifyObject(namespace, object_name=object_name)
        op = replace(op, new=to_object(self._bodies.read(request, lambda _: op)))
        return json_response(views.object_definition(namespace, self.domain.call(request.context, op)))

    def delete(self, request: Request, namespace: str, object_name: str) -> Response:
        """Delete an object."""
        self.domain.call(request.context, DeleteObject(namespace, object_name=object_name))
        return empty_response()
