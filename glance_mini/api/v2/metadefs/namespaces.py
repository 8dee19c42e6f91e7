"""Namespaces of metadata definitions (api-metadefs-namespaces)."""

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.image_query import DIRECTIONS, Parameters, choice, parse_limit, parse_parameters
from glance_mini.api.v2.metadefs.bodies import Body, BodyReader, to_content, to_namespace
from glance_mini.api.v2.schemas.metadefs import namespace_schema
from glance_mini.api.v2.views import metadefs as views
from glance_mini.domain.errors import Invalid
from glance_mini.domain.metadefs import (
    NAMESPACE_SORT_KEYS,
    VISIBILITIES,
    Namespace,
    NamespaceContent,
    NamespaceQuery,
)
from glance_mini.layers.stack import Stack
from glance_mini.operations.metadefs import (
    AddNamespace,
    DeleteNamespace,
    GetNamespace,
    GetNamespaces,
    ModifyNamespace,
)

MAX_TYPES = 32
"""The most resource types of a filter."""


class NamespacesController:
    """Answers ``/v2/metadefs/namespaces`` and ``/v2/metadefs/namespaces/{namespace}``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._bodies = BodyReader(conf, domain, namespace_schema())
        self._limits = (conf.limit_param_default, conf.api_limit_max)

    def index(self, request: Request) -> Response:
        """Show a page of namespaces."""
        parameters = parse_parameters(request.query_string)
        query = parse_namespace_query(parameters, *self._limits)
        return json_response(views.namespaces(self.domain.call(request.context, GetNamespaces(query)), parameters))

    def create(self, request: Request) -> Response:
        """Create a namespace with all its parts."""
        content = to_content(self._bodies.read(request, lambda body: AddNamespace(_as_named(request, body))))
        made = self.domain.call(request.context, AddNamespace(content))
        return json_response(views.namespace(made), 201, {"Location": views.path_of(made.namespace.name)})

    def show(self, request: Request, namespace: str) -> Response:
        """Show a namespace with all its parts."""
        kind = dict(parse_parameters(request.query_string)).get("resource_type")
        content = self.domain.call(request.context, GetNamespace(namespace))
        prefix = next((each.prefix for each in content.associations if each.name == kind), None)
        return json_response(views.namespace(content, prefix or ""))

    def update(self, request: Request, namespace: str) -> Response:
        """Replace the fields of a namespace itself."""
        new = to_namespace(self._bodies.read(request, lambda _: ModifyNamespace(namespace)))
        return json_response(views.namespace(self.domain.call(request.context, ModifyNamespace(namespace, new=new))))

    def delete(self, request: Request, namespace: str) -> Response:
        """Delete a namespace with all its parts."""
        self.domain.call(request.context, DeleteNamespace(namespace))
        return empty_response()


def _as_named(request: Request, body: Body) -> NamespaceContent:
    """Return the namespace that an unchecked body asks for, without its parts."""
    owner, visibility = body.get("owner"), body.get("visibility")
    return NamespaceContent(
        Namespace(
            str(body.get("namespace")),
            visibility=visibility if isinstance(visibility, str) else "private",
            owner=owner if isinstance(owner, str) else request.context.project_id,
        )
    )


def parse_namespace_query(parameters: Parameters, default_limit: int, max_limit: int) -> NamespaceQuery:
    """Return the query that ``parameters`` describe, the last one of a name; Invalid for the first invalid one."""
    last = dict(parameters)
    visibility = last.get("visibility")
    types = tuple(dict.fromkeys(name for name in last.get("resource_types", "").split(",") if name))
    if len(types) > MAX_TYPES:
        raise Invalid(reason=f"A query names at most {MAX_TYPES} resource types.")
    return NamespaceQuery(
        visibility=None if visibility is None else choice("visibility", visibility, VISIBILITIES),
        resource_types=types,
        sort_key=choice("A sort key", last.get("sort_key", "created_at"), NAMESPACE_SORT_KEYS),
        sort_dir=choice("A sort direction", last.get("sort_dir", "desc"), DIRECTIONS),
        marker=last.get("marker"),
        limit=parse_limit(last.get("limit"), default_limit, max_limit),
    )
