"""The OpenAPI document of the service, made from the route table and the schemas; served without credentials."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from wsgiref.types import StartResponse, WSGIEnvironment

from glance_mini.api import openapi_metadefs
from glance_mini.api.openapi_identity import identity_paths
from glance_mini.api.response import dump_json
from glance_mini.api.routes import ROUTES, Action
from glance_mini.api.v2.data import MEDIA_TYPE
from glance_mini.api.v2.image_patch import NEW_TYPE, OLD_TYPE
from glance_mini.api.v2.image_query import BOUNDS, DIRECTIONS
from glance_mini.api.v2.images import DEEPEST
from glance_mini.api.v2.locations import DIGEST_LENGTHS
from glance_mini.api.v2.schemas.images import MAX_TEXT
from glance_mini.api.v2.schemas.members import member_schema, members_schema
from glance_mini.api.v2.schemas.shapes import ObjectSchema, Schema
from glance_mini.api.v2.tasks import SORT_KEYS as TASK_SORT_KEYS
from glance_mini.api.v2.tasks import TYPES as TASK_TYPES
from glance_mini.api.v2.uploads import MEDIA_TYPE as OFFSET_TYPE
from glance_mini.api.v2.uploads import VERSION
from glance_mini.content.disks import DISK_FORMATS
from glance_mini.domain.imports import METHOD_RULES
from glance_mini.domain.job import JOB_STATES
from glance_mini.domain.member import MEMBER_STATUSES
from glance_mini.domain.query import SORT_KEYS, VISIBILITIES
from glance_mini.domain.upload_session import KINDS
from glance_mini.operations.data import RAW

Document = Mapping[str, object]

_PATH_VARIABLE = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
_NOT_OF_JSON_SCHEMA = frozenset({"name", "links"})


@dataclass(frozen=True)
class _Described:
    """What the route table does not say about an action: success, bodies by media type, parameters outside the path."""

    summary: str
    status: int = 200
    answer: Mapping[str, Schema] | None = None
    body: Mapping[str, Schema] | None = None
    parameters: tuple[Document, ...] = ()
    others: tuple[int, ...] = ()


def openapi_document(schemas: Mapping[str, ObjectSchema], *, serves_identity: bool) -> Document:
    """Return the document; ``schemas`` are all schemas by name (``schema.all_schemas``).

    ``serves_identity`` says whether the service has the calls of a log-in.
    """
    described = _descriptions()
    paths: dict[str, Document] = {
        route.path: {
            method.lower(): _operation(route.path, method, action, described.get(action.name) or _plainly(action))
            for method, action in route.actions.items()
        }
        for route in ROUTES
    }
    if serves_identity:
        paths |= identity_paths()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Images API v2", "version": version("glance_mini")},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"password": []}],
        "paths": paths,
        "components": {"schemas": _components(schemas), "securitySchemes": _SECURITY},
    }


class OpenApiPage:
    """WSGI application that serves the document."""

    def __init__(self, schemas: Mapping[str, ObjectSchema], *, serves_identity: bool) -> None:
        self._body = dump_json(openapi_document(schemas, serves_identity=serves_identity))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return []
        headers = [("Content-Type", _JSON), ("Content-Length", str(len(self._body)))]
        start_response("200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self._body]


_SECURITY = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "password": {"type": "http", "scheme": "basic"},
}


def _operation(path: str, method: str, action: Action, described: _Described) -> Document:
    variables = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_VARIABLE.findall(path)
    ]
    operation: dict[str, object] = {
        "operationId": _operation_id(path, method, action),
        "summary": described.summary,
        "parameters": [*variables, *described.parameters],
        "responses": _responses(described, with_body=method != "HEAD"),
    }
    if described.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(described.body)}
    return operation


def _plainly(action: Action) -> _Described:
    """Return the description of an action without bodies, in the words of its name."""
    return _Described(action.name.replace("_", " ").capitalize(), 204)


def _operation_id(path: str, method: str, action: Action) -> str:
    name = action.name if method != "HEAD" else f"head_{action.name}"
    if action.name == "get_schema":
        name += "_" + path.removeprefix("/v2/schemas/").replace("/", "_")
    return name


def _responses(described: _Described, with_body: bool) -> Document:
    success: dict[str, object] = {"description": described.summary}
    if described.answer is not None and with_body:
        success["content"] = _content(described.answer)
    responses = {str(described.status): success}
    for status in described.others:
        responses[str(status)] = {"description": described.summary} | (
            {"content": success["content"]} if status == 206 and "content" in success else {}
        )
    responses["default"] = {"description": "The request was refused or failed."}
    return responses


def _content(by_type: Mapping[str, Schema]) -> Document:
    return {media_type: {"schema": schema} for media_type, schema in by_type.items()}


def _components(schemas: Mapping[str, ObjectSchema]) -> Document:
    image = _plain(schemas["image"])
    settable = {name: value for name, value in schemas["image"]["properties"].items() if not value.get("readOnly")}
    settable.pop("locations")
    return {
        "Image": {"type": "object", **image},
        "NewImage": {"type": "object", **image, "properties": settable},
        "Images": _page("images", "Image"),
        "Member": {"type": "object", **_plain(member_schema())},
        "Members": {"type": "object", **_plain(members_schema())},
        "Task": {"type": "object", **_plain(schemas["task"])},
        "Tasks": _page("tasks", "Task"),
        **openapi_metadefs.components(schemas),
    }


def _plain(schema: ObjectSchema) -> Schema:
    """Return ``schema`` without the members that JSON Schema does not define."""
    return {name: value for name, value in schema.items() if name not in _NOT_OF_JSON_SCHEMA}


def _page(name: str, item: str) -> Schema:
    text = {"type": "string"}
    properties = {name: {"type": "array", "items": _ref(item)}, "first": text, "next": text, "schema": text}
    return {"type": "object", "properties": properties, "required": [name, "first", "schema"]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, schema: Schema) -> Document:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _header(name: str, schema: Schema) -> Document:
    return {"name": name, "in": "header", "required": False, "schema": schema}


def _list_parameters() -> tuple[Document, ...]:
    text = {"type": "string"}
    choices = {
        "visibility": [*VISIBILITIES, "all"],
        "member_status": [*MEMBER_STATUSES, "all"],
        "os_hidden": ["true", "false"],
        "protected": ["true", "false"],
        "sort_key": list(SORT_KEYS),
        "sort_dir": list(DIRECTIONS),
    }
    texts = ("marker", "sort", "name", "id", "status", "container_format", "disk_format", "owner", "tag")
    return (
        _query("limit", {"type": "integer", "minimum": 0}),
        *(_query(name, {"type": "string", "enum": values}) for name, values in choices.items()),
        *(_query(name, text) for name in (*texts, "created_at", "updated_at")),
        *(_query(name, {"type": "integer"}) for name in BOUNDS),
    )


def _patch(steps: Schema) -> Schema:
    return {"type": "array", "items": {"type": "object", **steps}}


_NEW_PATCH = _patch(
    {
        "properties": {
            "op": {"type": "string", "enum": ["add", "replace", "remove"]},
            "path": {"type": "string", "pattern": "^/"},
            "value": {},
        },
        "required": ["op", "path"],
    }
)
_OLD_PATCH = _patch(
    {"properties": {name: {"type": "string", "pattern": "^/"} for name in ("add", "replace", "remove")}}
)


def _task_parameters() -> tuple[Document, ...]:
    choices = {
        "type": TASK_TYPES,
        "status": JOB_STATES,
        "sort_key": tuple(TASK_SORT_KEYS),
        "sort_dir": DIRECTIONS,
    }
    return (
        _query("limit", {"type": "integer", "minimum": 0}),
        _query("marker", {"type": "string"}),
        *(_query(name, {"type": "string", "enum": list(values)}) for name, values in choices.items()),
    )


_IMPORT = {
    "type": "object",
    "properties": {
        "method": {
            "type": "object",
            "properties": {"name": {"type": "string", "enum": list(METHOD_RULES)}},
            "additionalProperties": {"type": "string"},
            "required": ["name"],
        },
        "stores": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "all_stores": {"type": "boolean"},
        "all_stores_must_succeed": {"type": "boolean"},
        "expected_hash": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["method"],
}
_NEW_LOCATION = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "minLength": 1},
        "validation_data": {
            "type": "object",
            "properties": {
                "os_hash_algo": {"type": "string", "enum": list(DIGEST_LENGTHS)},
                "os_hash_value": {"type": "string", "pattern": "^[0-9a-fA-F]+$"},
            },
        },
    },
    "required": ["url"],
}
_LOCATIONS = {
    "type": "array",
    "items": {"type": "object", "properties": {"url": {"type": "string"}, "metadata": {"type": "object"}}},
}
_BLOCKS = {
    "type": "object",
    "properties": {
        "virtual_size": {"type": "integer"},
        "block_size": {"type": "integer"},
        "blocks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "offset": {"type": "integer"},
                    "length": {"type": "integer"},
                    "sha256": {"type": ["null", "string"]},
                },
            },
        },
        "next": {"type": "string"},
    },
    "required": ["virtual_size", "block_size", "blocks"],
}
_NEW_TASK = {
    "type": "object",
    "properties": {"type": {"type": "string", "enum": list(TASK_TYPES)}, "input": {"type": "object"}},
    "required": ["type", "input"],
}


def _of_metadefs(call: openapi_metadefs.Call) -> _Described:
    return _Described(
        call.summary,
        call.status,
        answer=None if call.answer is None else {_JSON: _ref(call.answer)},
        body=None if call.body is None else {_JSON: _ref(call.body)},
        parameters=tuple(_query(name, schema) for name, schema in call.query.items()),
    )


_NEW_LINK = {
    "type": "object",
    "properties": {
        "expires_in": {"type": "integer", "minimum": 1},
        "size": {"type": "integer", "minimum": 1},
        "store": {"type": "string"},
    },
    "additionalProperties": False,
}
_LINK = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("id", "image_id", "created_at", "expires_at", "url")},
        **{name: {"type": ["string", "null"]} for name in ("user_id", "project_id")},
        "size": {"type": "integer"},
        "store": {"type": "string"},
    },
    "required": ["id", "image_id", "created_at", "expires_at"],
}
_LINKS = {"type": "object", "properties": {"links": {"type": "array", "items": _LINK}}, "required": ["links"]}


_TEXT = {"type": "string"}
_UPLOAD = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("id", "image_id", "metadata", "created_at", "expires_at")},
        **{name: {"type": ["string", "null"]} for name in ("user_id", "store")},
        **{name: {"type": "integer", "minimum": 0} for name in ("size", "received")},
        "kind": {"type": "string", "enum": list(KINDS)},
        "is_finished": {"type": "boolean"},
    },
    "required": ["id", "image_id", "kind", "size", "received", "is_finished", "expires_at"],
}
_UPLOADS = {"type": "object", "properties": {"uploads": {"type": "array", "items": _UPLOAD}}, "required": ["uploads"]}


def _text_member(name: str, **schema: object) -> Schema:
    return {"type": "object", "properties": {name: {"type": "string", **schema}}, "required": [name]}


def _descriptions() -> dict[str, _Described]:
    image, member, anything = {_JSON: _ref("Image")}, {_JSON: _ref("Member")}, {_JSON: {"type": "object"}}
    binary = {MEDIA_TYPE: {"type": "string", "format": "binary"}}
    names = ("Range", "If-Match", "If-None-Match", "If-Range")
    conditions, unsent = tuple(_header(name, {"type": "string"}) for name in names), (204, 206, 304)
    redirecting = (_header("Prefer", {"type": "string"}), _query("redirect", {"type": "boolean"}))
    size = _header("x-openstack-image-size", {"type": "integer", "minimum": 0})
    store = _header("x-image-meta-store", {"type": "string"})
    sent = {OFFSET_TYPE: {"type": "string", "format": "binary"}}
    tus = _header("Tus-Resumable", {"type": "string", "enum": [VERSION]})
    new_member = {_JSON: _text_member("member", minLength=1, maxLength=255)}
    task = {_JSON: _ref("Task")}
    flatten = (_query("flatten", {"type": "boolean"}),)
    new_base = {_JSON: _text_member("base")}
    new_format = {
        "type": "object",
        "properties": {
            "disk_format": {"type": "string", "enum": list(DISK_FORMATS)},
            "new_image": _text_member("name", minLength=1, maxLength=MAX_TEXT),
        },
        "required": ["disk_format"],
    }
    depth = {"type": "integer", "minimum": 0, "maximum": DEEPEST}
    new_depth = {"type": "object", "properties": {"depth": depth}}
    new_status = {_JSON: _text_member("status", enum=list(MEMBER_STATUSES))}
    return {
        "list_images": _Described("Images", answer={_JSON: _ref("Images")}, parameters=_list_parameters()),
        "create_image": _Described("Create an image", 201, answer=image, body={_JSON: _ref("NewImage")}),
        "get_image": _Described("An image", answer=image),
        "update_image": _Described(
            "Change an image",
            answer=image,
            body={NEW_TYPE: _NEW_PATCH, OLD_TYPE: _OLD_PATCH},
            parameters=flatten,
            others=(202,),
        ),
        "upload_data": _Described("Upload the data of an image", 204, body=binary, parameters=(size, store)),
        "download_data": _Described(
            "The data of an image, or a range of it",
            answer=binary,
            parameters=(
                *conditions,
                _query("prefer", {"type": "string"}),
                _query("format", {"type": "string", "enum": [RAW]}),
                _query("delta", {"type": "boolean"}),
                *redirecting,
            ),
            others=(*unsent, 307),
        ),
        "describe_data": _Described("Describe the data of an image", others=(204, 304)),
        "list_links": _Described("The links to an image", answer={_JSON: _LINKS}),
        "add_link": _Described("Make a link to an image", 201, answer={_JSON: _LINK}, body={_JSON: _NEW_LINK}),
        "delete_link": _Described("End a link to an image", 204),
        "complete_upload": _Described("Use the data that was sent by a link", 202),
        "download_by_link": _Described(
            "The data of the image of a link, or a range of it",
            answer=binary,
            parameters=(*conditions, *redirecting),
            others=(*unsent, 307),
        ),
        "describe_by_link": _Described("Describe the data of the image of a link", others=(204, 304)),
        "get_upload_options": _Described("What of the protocol for uploads that go on there is", 204),
        "get_upload_session_options": _Described("What of the protocol for uploads that go on there is", 204),
        "list_upload_sessions": _Described("The uploads of an image that go on", answer={_JSON: _UPLOADS}),
        "add_upload_session": _Described(
            "Begin an upload that may break off and go on",
            201,
            body=sent,
            parameters=(
                *(
                    tus,
                    store,
                    *(_header(name, _TEXT) for name in ("Upload-Metadata", "Upload-Concat", "Upload-Checksum")),
                ),
                _header("Upload-Length", {"type": "integer", "minimum": 0}),
            ),
        ),
        "get_upload_session": _Described("How much of an upload has arrived", parameters=(tus,)),
        "extend_upload_session": _Described(
            "Go on with an upload",
            204,
            body=sent,
            parameters=(
                *(tus, _header("Upload-Checksum", _TEXT)),
                _header("Upload-Offset", {"type": "integer", "minimum": 0}),
            ),
        ),
        "delete_upload_session": _Described("End an upload that goes on", 204, parameters=(tus,)),
        "override_upload_method": _Described(
            "Another method of an upload, for clients that cannot send it",
            204,
            parameters=(tus, _header("X-HTTP-Method-Override", _TEXT)),
        ),
        "deactivate_image": _Described(
            "Forbid the download of an image", 204, parameters=(_query("force", {"type": "boolean"}),)
        ),
        "coalesce_image": _Described(
            "Store the complete disk of an incremental image, or the changes to one of its lower bases",
            202,
            answer=task,
            body={_JSON: new_depth},
        ),
        "rebase_image": _Described("Store what differs from another image", 202, answer=task, body=new_base),
        "convert_image": _Described("Store an image in another format", 202, answer=task, body={_JSON: new_format}),
        "list_blocks": _Described(
            "The blocks of a disk with their hashes",
            answer={_JSON: _BLOCKS},
            parameters=(
                *(_query(name, {"type": "integer", "minimum": 0}) for name in ("limit", "marker", "within")),
                _query("since", {"type": "string"}),
            ),
            others=(202,),
        ),
        "list_members": _Described("The members of an image", answer={_JSON: _ref("Members")}),
        "add_member": _Described(
            "Share an image with a project", answer=member, body=new_member, parameters=flatten, others=(202,)
        ),
        "get_member": _Described("A member of an image", answer=member),
        "update_member": _Described("Accept or reject a shared image", answer=member, body=new_status),
        "stage_data": _Described("Stage data for an import", 204, body=binary, parameters=(size,)),
        "import_image": _Described("Import the data of an image", 202, body={_JSON: _IMPORT}, parameters=(store,)),
        "list_image_tasks": _Described("The tasks of an image", answer=anything),
        "get_locations": _Described("Where the data of an image is stored", answer={_JSON: _LOCATIONS}),
        "add_location": _Described("Register data that is stored already", 202, body={_JSON: _NEW_LOCATION}),
        "list_tasks": _Described("Tasks", answer={_JSON: _ref("Tasks")}, parameters=_task_parameters()),
        "create_task": _Described(
            "Create a task of the old kind", 201, answer={_JSON: _ref("Task")}, body={_JSON: _NEW_TASK}
        ),
        "get_task": _Described("A task", answer={_JSON: _ref("Task")}),
        "get_import_info": _Described("The import methods", answer=anything),
        "list_stores": _Described("The stores", answer=anything),
        "list_stores_detail": _Described("The stores in detail", answer=anything),
        "watch_events": _Described(
            "The changes of what the caller may see",
            answer={"text/event-stream": {"type": "string"}},
            parameters=(_header("Last-Event-ID", {"type": "string"}),),
        ),
        "get_usage": _Described("What the caller's project uses", answer=anything),
        "get_schema": _Described("A schema", answer=anything),
        **{name: _of_metadefs(call) for name, call in openapi_metadefs.CALLS.items()},
    }
