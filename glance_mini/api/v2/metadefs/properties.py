"""The properties of namespaces (api-metadefs-properties)."""

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.image_query import parse_parameters
from glance_mini.api.v2.metadefs.bodies import BodyReader, part_query, to_property
from glance_mini.api.v2.schemas.metadefs import property_schema
from glance_mini.api.v2.views import metadefs as views
from glance_mini.layers.stack import Stack
from glance_mini.operations.metadef_parts import (
    AddProperty,
    DeleteProperties,
    GetProperties,
    GetProperty,
    ModifyProperty,
    RemoveProperty,
)


class PropertiesController:
    """Answers ``/v2/metadefs/namespaces/{namespace}/properties`` and what is below it."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._bodies = BodyReader(conf, domain, property_schema(), {"confidential": {"type": "boolean"}})
        self._limits = (conf.api_limit_max, conf.api_limit_max)

    def index(self, request: Request, namespace: str) -> Response:
        """Show a page of the properties of a namespace."""
        parameters = parse_parameters(request.query_string)
        op = GetProperties(namespace, query=part_query(parameters, self._limits, least=1))
        return json_response(views.properties(namespace, self.domain.call(request.context, op), parameters))

    def create(self, request: Request, namespace: str) -> Response:
        """Add a property to a namespace."""
        new = to_property(self._bodies.read(request, lambda _: AddProperty(namespace)))
        op = AddProperty(namespace, new=new)
        return json_response(views.property_definition(self.domain.call(request.context, op)), 201)

    def clear(self, request: Request, namespace: str) -> Response:
        """Delete all properties of a namespace."""
        self.domain.call(request.context, DeleteProperties(namespace))
        return empty_response()

    def show(self, request: Request, namespace: str, property_name: str) -> Response:
        """Show a property; with ``resource_type`` by its name on resources of that type."""
        kind = dict(parse_parameters(request.query_string)).get("resource_type")
        op = GetProperty(namespace, property_name=property_name, resource_type=kind)
        return json_response(views.property_definition(self.domain.call(request.context, op)))

    def update(self, request: Request, namespace: str, property_name: str) -> Response:
        """Replace a property."""
        new = to_property(self._bodies.read(request, lambda _: ModifyProperty(namespace, property_name=property_name)))
        op = ModifyProperty(namespace, property_name=property_name, new=new)
        return json_response(views.property_definition(self.domain.call(request.context, op)))

    def delete(self, request: Request, namespace: str, property_name: str) -> Response:
        """Delete a property."""
        self.domain.call(request.context, RemoveProperty(namespace, property_name=property_name))
        return empty_response()
