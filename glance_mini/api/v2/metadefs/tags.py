"""The tags of namespaces (api-metadefs-tags)."""

from typing import cast

from oslo_config import cfg
from oslo_utils.strutils import bool_from_string

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.image_query import parse_parameters
from glance_mini.api.v2.metadefs.bodies import Body, BodyReader, checked_name, part_query, to_tag
from glance_mini.api.v2.schemas.metadefs import new_tags_schema, tag_schema
from glance_mini.api.v2.views import metadefs as views
from glance_mini.domain.metadefs import TAG_SORT_KEYS
from glance_mini.layers.stack import Stack
from glance_mini.operations.metadef_parts import AddTag, AddTags, DeleteTag, DeleteTags, GetTag, GetTags, ModifyTag

APPEND = "X-Openstack-Append"
"""The header with which tags are added to those that a namespace has."""


class TagsController:
    """Answers ``/v2/metadefs/namespaces/{namespace}/tags`` and what is below it."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._bodies = BodyReader(conf, domain, tag_schema())
        self._lists = BodyReader(conf, domain, new_tags_schema())
        self._limits = (conf.api_limit_max, conf.api_limit_max)

    def index(self, request: Request, namespace: str) -> Response:
        """Show a page of the tags of a namespace."""
        parameters = parse_parameters(request.query_string)
        op = GetTags(namespace, query=part_query(parameters, self._limits, TAG_SORT_KEYS))
        return json_response(views.tags(namespace, self.domain.call(request.context, op), parameters))

    def create_several(self, request: Request, namespace: str) -> Response:
        """Replace the tags of a namespace, or add to them."""
        tags = cast(list[Body], self._lists.read(request, lambda _: AddTags(namespace))["tags"])
        append = bool_from_string(request.headers.get(APPEND, ""))
        op = AddTags(namespace, tags=tuple(to_tag(each).name for each in tags), append=append)
        return json_response(views.new_tags(self.domain.call(request.context, op).tags), 201)

    def clear(self, request: Request, namespace: str) -> Response:
        """Delete all tags of a namespace."""
        self.domain.call(request.context, DeleteTags(namespace))
        return empty_response()

    def create(self, request: Request, namespace: str, tag_name: str) -> Response:
        """Add a tag to a namespace."""
        op = AddTag(namespace, tag_name=checked_name(tag_name, "tag"))
        return json_response(views.tag(self.domain.call(request.context, op)), 201)

    def show(self, request: Request, namespace: str, tag_name: str) -> Response:
        """Show a tag."""
        return json_response(views.tag(self.domain.call(request.context, GetTag(namespace, tag_name=tag_name))))

    def update(self, request: Request, namespace: str, tag_name: str) -> Response:
        """Rename a tag."""
        new = to_tag(self._bodies.read(request, lambda _: ModifyTag(namespace, tag_name=tag_name))).name
        op = ModifyTag(namespace, tag_name=tag_name, new=new)
        return json_response(views.tag(self.domain.call(request.context, op)))

    def delete(self, request: Request, namespace: str, tag_name: str) -> Response:
        """Delete a tag."""
        self.domain.call(request.context, DeleteTag(namespace, tag_name=tag_name))
        return empty_response()
