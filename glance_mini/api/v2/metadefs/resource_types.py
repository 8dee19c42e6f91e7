"""Resource types, and their associations with namespaces (api-metadefs-types)."""

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.metadefs.bodies import BodyReader, to_association
from glance_mini.api.v2.schemas.metadefs import resource_type_schema
from glance_mini.api.v2.views import metadefs as views
from glance_mini.layers.stack import Stack
from glance_mini.operations.metadefs import AddAssociation, ListAssociations, ListResourceTypes, RemoveAssociation


class ResourceTypesController:
    """Answers ``/v2/metadefs/resource_types`` and ``/v2/metadefs/namespaces/{namespace}/resource_types``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._bodies = BodyReader(conf, domain, resource_type_schema())

    def all(self, request: Request) -> Response:
        """Show all resource types."""
        return json_response(views.resource_types(self.domain.call(request.context, ListResourceTypes())))

    def index(self, request: Request, namespace: str) -> Response:
        """Show the resource types with which a namespace is associated."""
        return json_response(views.associations(self.domain.call(request.context, ListAssociations(namespace))))

    def create(self, request: Request, namespace: str) -> Response:
        """Associate a resource type with a namespace."""
        new = to_association(self._bodies.read(request, lambda _: AddAssociation(namespace)))
        made = self.domain.call(request.context, AddAssociation(namespace, new=new))
        return json_response(views.association(made), 201)

    def delete(self, request: Request, namespace: str, resource_type: str) -> Response:
        """End the association of a resource type with a namespace."""
        self.domain.call(request.context, RemoveAssociation(namespace, resource_type=resource_type))
        return empty_response()
