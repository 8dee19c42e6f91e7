"""Imports and staging (api-imports). Workers run the imports as jobs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oslo_config import cfg

from glance_mini.api.errors import UnknownPath
from glance_mini.api.forwarding import Forwarding
from glance_mini.api.receiving import receiving
from glance_mini.api.request import Request
from glance_mini.api.response import Response, accepted_response, dump_json, empty_response
from glance_mini.api.transfer_slots import TransferSlots
from glance_mini.api.v2.data import check_media_type, declared_size
from glance_mini.content.hashes import ExpectedHashes
from glance_mini.domain.errors import Invalid
from glance_mini.domain.imports import GLANCE_DOWNLOAD, ImportRequest, MethodRule
from glance_mini.imports.glance_source import NoEndpoint, find_endpoint
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.imports import ImportImage, StageData


class ImageImportController:
    """Answers ``/v2/images/{image_id}/import``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, services: Services) -> None:
        self.domain = domain
        self._methods = tuple(conf.enabled_import_methods)
        self._rules = services.import_methods
        self._several_stores = services.stores.multi
        self._forwarding = Forwarding(services.node_url, domain)

    def create(self, request: Request, image_id: str) -> Response:
        """Begin an import."""
        body = request.json_object()
        wanted = _with_endpoint(request, parse_import(body, self._methods, self._rules))
        if self._rules[wanted.name].is_of_staged:
            answer = self._forwarding.forward(request, image_id, dump_json(body))
            if answer is not None:
                return answer
        store = request.headers.get("x-image-meta-store") if self._several_stores else None
        self.domain.call(request.context, ImportImage(image_id, request=wanted, header_store=store))
        return accepted_response()


def _with_endpoint(request: Request, wanted: ImportRequest) -> ImportRequest:
    """Return ``wanted``, with the URL of the other image service if the data comes from one."""
    if wanted.name != GLANCE_DOWNLOAD:
        return wanted
    # Without a Keystone token the header cannot be trusted.
    catalogue = request.environ.get("HTTP_X_SERVICE_CATALOG") if request.context.auth_token else None
    return replace(wanted, method={**wanted.method, "endpoint": endpoint_of(catalogue, wanted.method)})


class ImageStageController:
    """Answers ``/v2/images/{image_id}/stage``."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, services: Services, slots: TransferSlots) -> None:
        self.domain = domain
        self._is_enabled = any(services.import_methods[name].is_of_staged for name in conf.enabled_import_methods)
        self._slots = slots
        self._buffers = services.buffers

    def update(self, request: Request, image_id: str) -> Response:
        """Write data to the staging area; nothing is read before the layers ask for it."""
        if not self._is_enabled:
            raise UnknownPath()
        check_media_type(request)
        size = declared_size(request)
        with receiving(request, size, self._slots, self._buffers) as (chunks, blocks):
            self.domain.call(request.context, StageData(image_id, chunks=chunks, blocks=blocks, size=size))
        return empty_response()


Body = Mapping[str, object]

MAX_FIELD = 8192
"""The most characters of a field of a method, such as a URL with a signature, and of its name."""

MAX_FIELDS = 32
"""The most fields of a method; those of packages are not known here."""


def parse_import(body: Body, enabled: Sequence[str], rules: Mapping[str, MethodRule]) -> ImportRequest:
    """Return the import that ``body`` asks for; Invalid for a malformed body or a method that is not ``enabled``.

    ``rules`` are those of the enabled methods. A method of a package may have optional fields that its rule does not
    name: all strings are kept, and whatever else the method does not know is ignored.
    """
    method = _method(body, enabled, rules)
    return ImportRequest(
        method=method,
        stores=_stores(body),
        all_stores=_flag(body, "all_stores", False),
        all_stores_must_succeed=_flag(body, "all_stores_must_succeed", True),
        expected_hashes=_expected_hashes(body),
        body={**body, "method": method},
    )


def endpoint_of(catalogue: str | None, method: Mapping[str, str]) -> str:
    """Return the URL of the other image service that ``method`` names; empty if it cannot be found.

    ``catalogue`` is the caller's service catalogue as JSON, as keystonemiddleware passes it on.
    """
    try:
        services = json.loads(catalogue or "[]")
        return find_endpoint(
            services, method.get("glance_region", ""), method.get("glance_service_interface", "public")
        )
    except (NoEndpoint, ValueError):
        return ""


def _method(body: Body, enabled: Sequence[str], rules: Mapping[str, MethodRule]) -> dict[str, str]:
    method = body.get("method")
    if not isinstance(method, dict):
        raise Invalid(reason="The body must have the member 'method', an object.")
    name = method.get("name")
    if not name or not isinstance(name, str):
        raise Invalid(reason="The method must have a name, a string.")
    if name not in enabled:
        raise Invalid(reason=f"The import method '{name[:40]}' is not one of {', '.join(enabled)}.")
    rule = rules[name]
    for key in (*rule.fields, *rule.further_fields):
        if not isinstance(method.get(key, ""), str):
            raise Invalid(reason=f"'{key}' of the method must be a string.")
    fields = {key: value for key, value in method.items() if isinstance(value, str)}
    if len(fields) > MAX_FIELDS:
        raise Invalid(reason=f"The method has {len(fields)} fields; at most {MAX_FIELDS} are allowed.")
    for key, value in fields.items():
        if max(len(key), len(value)) > MAX_FIELD:
            raise Invalid(reason=f"'{key[:40]}' of the method has more than {MAX_FIELD} characters.")
    return fields


def _stores(body: Body) -> tuple[str, ...]:
    stores = body.get("stores", [])
    if not isinstance(stores, list) or not all(isinstance(store, str) and store for store in stores):
        raise Invalid(reason="'stores' must be a list of store ids.")
    return tuple(stores)


def _flag(body: Body, name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Invalid(reason=f"'{name}' must be true or false.")
    return value


def _expected_hashes(body: Body) -> dict[str, str]:
    expected = body.get("expected_hash", {})
    if not isinstance(expected, dict) or not all(isinstance(digest, str) for digest in expected.values()):
        raise Invalid(reason="'expected_hash' must be an object with a hexadecimal digest for each algorithm.")
    ExpectedHashes(expected)
    return expected
