"""Information about the service: import methods, stores, usage (api-info)."""

from oslo_config import cfg

from glance_mini.api.request import Request
from glance_mini.api.response import Response, json_response
from glance_mini.api.v2.image_query import parse_limit, parse_parameters
from glance_mini.api.v2.views import info as views
from glance_mini.layers.stack import Stack
from glance_mini.operations.info import CheckConfiguration, GetUsage, ListStores, ListUsage

PROJECTS = 25
"""The largest number of projects of a page: each costs two statements, and with limits of Keystone one request."""


class InfoController:
    """Answers ``/v2/info/…``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack) -> None:
        self.domain = domain
        self._import_methods = tuple(conf.enabled_import_methods)

    def import_methods(self, request: Request) -> Response:
        """Show the import methods; they are configuration, and every caller may know them."""
        return json_response(views.import_methods(self._import_methods))

    def stores(self, request: Request) -> Response:
        """Show the stores."""
        return json_response(views.stores(self.domain.call(request.context, ListStores()), detail=False))

    def stores_detail(self, request: Request) -> Response:
        """Show the stores with what operators may know."""
        return json_response(views.stores(self.domain.call(request.context, ListStores(detail=True)), detail=True))

    def usage(self, request: Request) -> Response:
        """Show the usage and the limits of the caller's project."""
        return json_response(views.usage(self.domain.call(request.context, GetUsage())))

    def usage_of_projects(self, request: Request) -> Response:
        """Show a page of all projects with their usage and limits."""
        last = dict(parse_parameters(request.query_string))
        limit = parse_limit(last.get("limit"), PROJECTS, PROJECTS)
        found = self.domain.call(request.context, ListUsage(last.get("marker", ""), limit))
        return json_response(views.usage_of_projects(found, limit))

    def configuration(self, request: Request) -> Response:
        """Show what the options of this process are warned about."""
        return json_response(views.configuration(self.domain.call(request.context, CheckConfiguration())))
