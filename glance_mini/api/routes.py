"""All paths and methods of the API in one table (api-index-calls), and the search for the row of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import routes

from glance_mini.api.errors import MethodNotAllowed, UnknownMethod, UnknownPath
from glance_mini.api.request import ESCAPED_SLASH, Request
from glance_mini.api.response import Response
from glance_mini.domain.errors import Invalid

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")


@dataclass(frozen=True)
class Action:
    """One method of one path.

    ``name`` is the operation in metrics and in the OpenAPI document, ``handler`` names controller and method.
    ``takes_body`` False: a request with a body is refused (api-conventions-methods).
    """

    name: str
    handler: str
    takes_body: bool = True


@dataclass(frozen=True)
class Route:
    """One path and its methods. ``hides_methods``: a wrong method is answered as an unknown path.

    ``allow_header`` is the header ``Allow`` of the answer to a wrong method; None: all methods of the path.
    """

    path: str
    actions: Mapping[str, Action]
    hides_methods: bool = False
    allow_header: str | None = None


def _bodiless(name: str, handler: str) -> Action:
    return Action(name, handler, takes_body=False)


_SCHEMAS = ("image", "images", "member", "members")
_SCHEMAS_TAKING_BODIES = ("task", "tasks")
_METADEF_SCHEMAS = (
    *("namespace", "namespaces", "resource_type", "resource_types", "property", "properties"),
    *("object", "objects", "tag", "tags"),
)


def _schema_routes() -> tuple[Route, ...]:
    plain = [*_SCHEMAS, *(f"metadefs/{name}" for name in _METADEF_SCHEMAS)]
    refusing = {name: _bodiless("get_schema", "schema.show") for name in plain}
    taking = {name: Action("get_schema", "schema.show") for name in _SCHEMAS_TAKING_BODIES}
    return tuple(Route(f"/v2/schemas/{name}", {"GET": action}) for name, action in (refusing | taking).items())


_METADEFS = "/v2/metadefs/"


def _metadef_routes() -> tuple[Route, ...]:
    namespaces = f"{_METADEFS}namespaces"
    namespace = f"{namespaces}/{{namespace}}"
    return (
        Route(
            f"{_METADEFS}resource_types",
            {"GET": _bodiless("list_metadef_resource_types", "metadef_types.all")},
        ),
        Route(
            namespaces,
            {
                "GET": Action("get_metadef_namespaces", "metadef_namespaces.index"),
                "POST": Action("add_metadef_namespace", "metadef_namespaces.create"),
            },
        ),
        Route(
            namespace,
            {
                "GET": _bodiless("get_metadef_namespace", "metadef_namespaces.show"),
                "PUT": Action("modify_metadef_namespace", "metadef_namespaces.update"),
                "DELETE": _bodiless("delete_metadef_namespace", "metadef_namespaces.delete"),
            },
        ),
        Route(
            f"{namespace}/resource_types",
            {
                "GET": _bodiless("list_metadef_associations", "metadef_types.index"),
                "POST": Action("add_metadef_resource_type_association", "metadef_types.create"),
            },
        ),
        Route(
            f"{namespace}/resource_types/{{resource_type}}",
            {"DELETE": _bodiless("remove_metadef_resource_type_association", "metadef_types.delete")},
        ),
        Route(
            f"{namespace}/properties",
            {
                "GET": Action("get_metadef_properties", "metadef_properties.index"),
                "POST": Action("add_metadef_property", "metadef_properties.create"),
                "DELETE": _bodiless("delete_metadef_properties", "metadef_properties.clear"),
            },
        ),
        Route(
            f"{namespace}/properties/{{property_name}}",
            {
                "GET": _bodiless("get_metadef_property", "metadef_properties.show"),
                "PUT": Action("modify_metadef_property", "metadef_properties.update"),
                "DELETE": _bodiless("remove_metadef_property", "metadef_properties.delete"),
            },
        ),
        Route(
            f"{namespace}/objects",
            {
                "GET": Action("get_metadef_objects", "metadef_objects.index"),
                "POST": Action("add_metadef_object", "metadef_objects.create"),
                "DELETE": _bodiless("delete_metadef_objects", "metadef_objects.clear"),
            },
        ),
        Route(
            f"{namespace}/objects/{{object_name}}",
            {
                "GET": _bodiless("get_metadef_object", "metadef_objects.show"),
                "PUT": Action("modify_metadef_object", "metadef_objects.update"),
                "DELETE": _bodiless("delete_metadef_object", "metadef_objects.delete"),
            },
        ),
        Route(
            f"{namespace}/tags",
            {
                "GET": Action("get_metadef_tags", "metadef_tags.index"),
                "POST": Action("add_metadef_tags", "metadef_tags.create_several"),
                "DELETE": _bodiless("delete_metadef_tags", "metadef_tags.clear"),
            },
        ),
        Route(
            f"{namespace}/tags/{{tag_name}}",
            {
                "GET": _bodiless("get_metadef_tag", "metadef_tags.show"),
                "POST": _bodiless("add_metadef_tag", "metadef_tags.create"),
                "PUT": Action("modify_metadef_tag", "metadef_tags.update"),
                "DELETE": _bodiless("delete_metadef_tag", "metadef_tags.delete"),
            },
        ),
    )


_IMAGE = "/v2/images/{image_id}"

ROUTES: tuple[Route, ...] = (
    Route(
        "/v2/images",
        {"GET": Action("list_images", "images.index"), "POST": Action("create_image", "images.create")},
    ),
    Route(
        _IMAGE,
        {
            "GET": _bodiless("get_image", "images.show"),
            "HEAD": _bodiless("get_image", "images.show"),
            "PATCH": Action("update_image", "images.update"),
            "DELETE": _bodiless("delete_image", "images.delete"),
        },
    ),
    Route(
        f"{_IMAGE}/file",
        {
            "GET": _bodiless("download_data", "image_data.download"),
            "HEAD": _bodiless("describe_data", "image_data.describe"),
            "PUT": Action("upload_data", "image_data.upload"),
        },
    ),
    Route(f"{_IMAGE}/blocks", {"GET": _bodiless("list_blocks", "image_blocks.index")}),
    Route(f"{_IMAGE}/stage", {"PUT": Action("stage_data", "image_stage.update")}),
    Route(
        f"{_IMAGE}/upload",
        {
            "OPTIONS": Action("get_upload_options", "uploads.options"),
            "GET": _bodiless("list_upload_sessions", "uploads.index"),
            "POST": Action("add_upload_session", "uploads.create"),
        },
    ),
    Route(
        f"{_IMAGE}/upload/{{session_id}}",
        {
            "OPTIONS": Action("get_upload_session_options", "uploads.options"),
            "HEAD": _bodiless("get_upload_session", "uploads.describe"),
            "PATCH": Action("extend_upload_session", "uploads.extend"),
            "DELETE": _bodiless("delete_upload_session", "uploads.delete"),
            "POST": Action("override_upload_method", "uploads.override"),
        },
    ),
    Route(f"{_IMAGE}/import", {"POST": Action("import_image", "image_import.create")}),
    Route(f"{_IMAGE}/tasks", {"GET": _bodiless("list_image_tasks", "image_tasks.index")}, hides_methods=True),
    Route(
        f"{_IMAGE}/locations",
        {"GET": Action("get_locations", "locations.index"), "POST": Action("add_location", "locations.create")},
        allow_header="POST",
    ),
    Route(
        f"{_IMAGE}/links", {"GET": _bodiless("list_links", "links.index"), "POST": Action("add_link", "links.create")}
    ),
    Route(f"{_IMAGE}/links/{{link_id}}", {"DELETE": _bodiless("delete_link", "links.delete")}),
    Route(f"{_IMAGE}/links/{{link_id}}/complete", {"POST": _bodiless("complete_upload", "links.complete")}),
    Route(
        "/v2/links/{token}",
        {
            "GET": _bodiless("download_by_link", "links.download"),
            "HEAD": _bodiless("describe_by_link", "links.describe"),
        },
    ),
    Route(f"{_IMAGE}/actions/deactivate", {"POST": _bodiless("deactivate_image", "image_actions.deactivate")}),
    Route(f"{_IMAGE}/actions/reactivate", {"POST": _bodiless("reactivate_image", "image_actions.reactivate")}),
    Route(f"{_IMAGE}/actions/coalesce", {"POST": Action("coalesce_image", "image_actions.coalesce")}),
    Route(f"{_IMAGE}/actions/rebase", {"POST": Action("rebase_image", "image_actions.rebase")}),
    Route(f"{_IMAGE}/actions/convert", {"POST": Action("convert_image", "image_actions.convert")}),
    Route(f"{_IMAGE}/actions/restore", {"POST": _bodiless("restore_image", "image_actions.restore")}),
    Route(f"{_IMAGE}/actions/purge", {"POST": _bodiless("purge_image", "image_actions.purge")}),
    Route(
        f"{_IMAGE}/tags/{{tag}}",
        {
            "PUT": _bodiless("add_tag", "image_tags.update"),
            "DELETE": _bodiless("delete_tag", "image_tags.delete"),
        },
    ),
    Route(
        f"{_IMAGE}/members",
        {
            "GET": _bodiless("list_members", "image_members.index"),
            "POST": Action("add_member", "image_members.create"),
        },
    ),
    Route(
        f"{_IMAGE}/members/{{member_id}}",
        {
            "GET": _bodiless("get_member", "image_members.show"),
            "PUT": Action("update_member", "image_members.update"),
            "DELETE": _bodiless("delete_member", "image_members.delete"),
        },
    ),
    Route("/v2/stores/{store_id}/{image_id}", {"DELETE": _bodiless("delete_from_store", "stores.delete")}),
    Route("/v2/tasks", {"GET": Action("list_tasks", "tasks.index"), "POST": Action("create_task", "tasks.create")}),
    Route("/v2/tasks/{task_id}", {"GET": Action("get_task", "tasks.show")}),
    Route("/v2/tasks/{task_id}/actions/cancel", {"POST": _bodiless("cancel_task", "tasks.cancel")}),
    Route("/v2/tasks/{task_id}/actions/retry", {"POST": _bodiless("retry_task", "tasks.retry")}),
    Route("/v2/events", {"GET": _bodiless("watch_events", "events.watch")}),
    Route("/v2/info/import", {"GET": _bodiless("get_import_info", "info.import_methods")}),
    Route("/v2/info/stores", {"GET": _bodiless("list_stores", "info.stores")}),
    Route("/v2/info/stores/detail", {"GET": _bodiless("list_stores_detail", "info.stores_detail")}),
    Route("/v2/info/usage/projects", {"GET": _bodiless("list_usage", "info.usage_of_projects")}),
    Route("/v2/info/configuration", {"GET": _bodiless("check_configuration", "info.configuration")}),
    Route("/v2/info/usage", {"GET": Action("get_usage", "info.usage")}, hides_methods=True),
    Route(
        "/v2/cache",
        {"GET": _bodiless("list_cache", "cache.index"), "DELETE": _bodiless("clear_cache", "cache.clear")},
    ),
    Route("/v2/cache/clean", {"POST": Action("clean_cache", "cache.clean")}),
    Route("/v2/cache/prune", {"POST": Action("prune_cache", "cache.prune")}),
    Route("/v2/cache/nodes/{image_id}", {"GET": _bodiless("list_cached_nodes", "cache.nodes")}),
    Route(
        "/v2/cache/{image_id}",
        {"PUT": Action("add_to_cache", "cache.update"), "DELETE": _bodiless("delete_from_cache", "cache.delete")},
    ),
    Route(
        "/v2/cached_images",
        {
            "GET": _bodiless("list_cached_images", "cache.cached"),
            "DELETE": _bodiless("delete_cached_images", "cache.clear_cached"),
        },
    ),
    Route("/v2/cached_images/{image_id}", {"DELETE": _bodiless("delete_cached_image", "cache.delete_cached")}),
    Route(
        "/v2/queued_images",
        {
            "GET": _bodiless("list_queued_images", "cache.queued"),
            "DELETE": _bodiless("delete_queued_images", "cache.clear_queued"),
        },
    ),
    Route(
        "/v2/queued_images/{image_id}",
        {
            "PUT": Action("queue_image", "cache.queue"),
            "DELETE": _bodiless("delete_queued_image", "cache.delete_queued"),
        },
    ),
    *_schema_routes(),
    *_metadef_routes(),
)


class Handler(Protocol):
    """A method of a controller; ``variables`` are those of the path."""

    def __call__(self, request: Request, /, **variables: str) -> Response: ...


class Router:
    """Finds the action for a request; made once from the controllers by name."""

    def __init__(self, controllers: Mapping[str, object]) -> None:
        self._mapper = routes.Mapper(always_scan=False, explicit=True)
        self._mapper.minimization = False
        self._routes: dict[str, tuple[Route, dict[str, tuple[Action, Handler]]]] = {}
        for route in ROUTES:
            self._mapper.connect(route.path, path=route.path)
            handlers = {method: (action, _handler(controllers, action)) for method, action in route.actions.items()}
            self._routes[route.path] = (route, handlers)
        self._mapper.create_regs([])

    def find(self, request: Request) -> tuple[Action, Handler, dict[str, str]]:
        """Return action, handler and the variables of the path, all UTF-8 text.

        Names of metadata definitions may hold slashes, which are escaped in the path.
        Raises UnknownPath, UnknownMethod, MethodNotAllowed, and Invalid for a body that the action does not take.
        """
        method, path = request.method, request.path_info
        variables = self._mapper.match(request.marked_path if path.startswith(_METADEFS) else path)
        if variables is None:
            raise UnknownPath() if method in METHODS else UnknownMethod(method=method)
        route, handlers = self._routes[variables.pop("path")]
        if method not in handlers:
            if route.hides_methods:
                raise UnknownPath()
            raise MethodNotAllowed(method=method, allowed=route.allow_header or ", ".join(handlers))
        action, handler = handlers[method]
        if not action.takes_body and request.has_body:
            raise Invalid(reason="This call takes no request body.")
        if path.startswith(_METADEFS):
            variables = {name: value.replace(ESCAPED_SLASH, "/") for name, value in variables.items()}
        return action, handler, variables


def _handler(controllers: Mapping[str, object], action: Action) -> Handler:
    controller, method = action.handler.split(".")
    handler: Handler = getattr(controllers[controller], method)
    return handler
