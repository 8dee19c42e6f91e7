"""What the OpenAPI document says of the log-in that the service itself offers."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from glance_mini.api.identity.requests import LONGEST
from glance_mini.api.identity.routes import OPEN, ROUTES
from glance_mini.api.v2.schemas.shapes import Schema

Document = Mapping[str, object]

_VARIABLE = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
_SECRET: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_DOMAIN: Schema = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT}}
_NAMED: Schema = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, "domain": _DOMAIN}}
_SUBJECT: Document = {"name": "X-Subject-Token", "in": "header", "required": True, "schema": _TEXT}
_NEW_TOKEN: Schema = {
    "type": "object",
    "properties": {
        "auth": {
            "type": "object",
            "properties": {
                "identity": {
                    "type": "object",
                    "properties": {
                        "methods": {
                            "type": "array",
                            "items": {"type": "string", "enum": ["password", "token"]},
                            "minItems": 1,
                            "maxItems": 1,
                        },
                        "password": {
                            "type": "object",
                            "properties": {
                                "user": {
                                    "type": "object",
                                    "properties": {"id": _TEXT, "name": _TEXT, "domain": _DOMAIN, "password": _SECRET},
                                    "required": ["password"],
                                }
                            },
                            "required": ["user"],
                        },
                        "token": {"type": "object", "properties": {"id": _SECRET}, "required": ["id"]},
                    },
                    "required": ["methods"],
                },
                "scope": {
                    "anyOf": [
                        {"type": "string", "enum": ["unscoped"]},
                        {"type": "object", "properties": {"project": _NAMED, "domain": _DOMAIN}},
                    ]
                },
            },
            "required": ["identity"],
        }
    },
    "required": ["auth"],
}
_ERROR: Schema = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": _TEXT, "title": _TEXT},
            "required": ["code", "message", "title"],
        }
    },
    "required": ["error"],
}


class _Call(NamedTuple):
    """A call: its summary, its status, the member of its answer, and its parameters outside the path."""

    summary: str
    answer: str | None
    status: int = 200
    parameters: tuple[Document, ...] = ()


def _query(**schemas: Schema) -> tuple[Document, ...]:
    return tuple({"name": name, "in": "query", "required": False, "schema": value} for name, value in schemas.items())


_CATALOG = _query(nocatalog=_TEXT)
_WANTED = _query(name=_TEXT, domain_id=_TEXT, enabled=_FLAG)
_ASSIGNED = _query(
    **{"user.id": _TEXT, "scope.project.id": _TEXT, "role.id": _TEXT, "effective": _FLAG, "include_names": _FLAG}
)
_CALLS: Mapping[str, _Call] = {
    "identity_versions": _Call("The versions of the log-in", "versions", 300),
    "identity_version": _Call("The version of the log-in", "version"),
    "identity_issue_token": _Call("Log in", "token", 201, _CATALOG),
    "identity_show_token": _Call("A token of a log-in", "token", 200, (_SUBJECT, *_CATALOG)),
    "identity_revoke_token": _Call("End a token of a log-in", None, 204, (_SUBJECT,)),
    "identity_catalog": _Call("The addresses of the services", "catalog"),
    "identity_own_projects": _Call("The projects that the caller may log in to", "projects"),
    "identity_own_domains": _Call("The domains that the caller may log in to", "domains"),
    "identity_list_projects": _Call("The projects", "projects", 200, (*_WANTED, *_query(is_domain=_FLAG))),
    "identity_get_project": _Call("A project", "project"),
    "identity_list_users": _Call("The users", "users", 200, _WANTED),
    "identity_get_user": _Call("A user", "user"),
    "identity_projects_of_user": _Call("The projects of a user", "projects"),
    "identity_list_domains": _Call("The domains", "domains", 200, _query(name=_TEXT, enabled=_FLAG)),
    "identity_get_domain": _Call("A domain", "domain"),
    "identity_role_assignments": _Call("Who has which role in which project", "role_assignments", 200, _ASSIGNED),
}


def identity_paths() -> dict[str, Document]:
    """Return what the document has under ``paths`` for the calls of the log-in.

    They stand under ``/v3`` here; the service answers them under ``/identity/v3`` as well.
    """
    return {
        path or "/identity": {method.lower(): _operation(path, name) for method, name in names.items()}
        for path, names in ROUTES.items()
    }


def _operation(path: str, name: str) -> Document:
    call = _CALLS[name]
    variables = [{"name": each, "in": "path", "required": True, "schema": _TEXT} for each in _VARIABLE.findall(path)]
    success: dict[str, object] = {"description": call.summary}
    if call.answer is not None:
        success["content"] = _content({"type": "object", "required": [call.answer]})
    operation: dict[str, object] = {
        "operationId": name,
        "summary": call.summary,
        "parameters": [*variables, *call.parameters],
        "responses": {
            str(call.status): success,
            "default": {"description": "The request was refused or failed.", "content": _content(_ERROR)},
        },
    }
    if name in OPEN:
        operation["security"] = []
    if name == "identity_issue_token":
        operation["requestBody"] = {"required": True, "content": _content(_NEW_TOKEN)}
    return operation


def _content(schema: Schema) -> Document:
    return {_JSON: {"schema": schema}}
